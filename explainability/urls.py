from django.urls.resolvers import URLPattern, URLResolver

app_name = "explainability"
urlpatterns: list[URLPattern | URLResolver] = []
