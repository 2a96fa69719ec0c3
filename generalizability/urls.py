from django.urls.resolvers import URLPattern, URLResolver

app_name = "generalizability"
urlpatterns: list[URLPattern | URLResolver] = []
