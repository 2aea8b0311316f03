"""API paths of this app."""

from django.urls import path, re_path

from activity import api

urlpatterns = [
    path("activities", api.ActivitiesView.as_view(), name="api-activities"),
    path("activities/summary/overview", api.OverviewView.as_view(), name="api-activities-overview"),
    path("activities/export", api.ExportView.as_view(), name="api-activities-export"),
    path("activities/<int:activity_id>", api.ActivityView.as_view(), name="api-activity"),
    re_path(
        r"^activities/resource/(?P<resource_type>[a-z_]{1,20})/(?P<resource_id>[\w.:-]{1,64})$",
        api.ResourceView.as_view(),
        name="api-activities-of-resource",
    ),
]
