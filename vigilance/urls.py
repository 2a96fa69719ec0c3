from django.urls.resolvers import URLPattern, URLResolver

app_name = "vigilance"
urlpatterns: list[URLPattern | URLResolver] = []
