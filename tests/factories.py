"""Rows for tests, each valid by itself."""

import hashlib

import factory
from factory.django import DjangoModelFactory

from accounts.models import Membership, Organisation, Person, Role, Site
from assurance.models import Deployment, Model, ModelVersion


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class OrganisationFactory(DjangoModelFactory):
    class Meta:
        model = Organisation

    name = factory.Sequence(lambda n: f"Organisation {n}")
    slug = factory.Sequence(lambda n: f"organisation-{n}")
    kind = Organisation.Kind.HOSPITAL


class SiteFactory(DjangoModelFactory):
    class Meta:
        model = Site

    organisation = factory.SubFactory(OrganisationFactory)
    code = factory.Sequence(lambda n: f"site-{n}")
    name = factory.LazyAttribute(lambda site: site.code.title())


class PersonFactory(DjangoModelFactory):
    class Meta:
        model = Person
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@hospital.example")
    name = factory.Sequence(lambda n: f"Person {n}")


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    person = factory.SubFactory(PersonFactory)
    organisation = factory.SubFactory(OrganisationFactory)
    role = Role.HOSPITAL_QA


class ModelFactory(DjangoModelFactory):
    class Meta:
        model = Model

    organisation = factory.SubFactory(OrganisationFactory, kind=Organisation.Kind.DEVELOPER)
    name = factory.Sequence(lambda n: f"Model {n}")
    slug = factory.Sequence(lambda n: f"model-{n}")
    kind = Model.Kind.DEVICE
    task = "classification"
    modality = "CR"


class ModelVersionFactory(DjangoModelFactory):
    class Meta:
        model = ModelVersion

    model = factory.SubFactory(ModelFactory)
    version = factory.Sequence(lambda n: f"1.{n}")
    adapter_key = "monai-densenet"
    weights_sha256 = factory.LazyAttribute(lambda version: sha256(f"weights {version.version}"))
    preprocessing_sha256 = factory.LazyAttribute(lambda version: sha256("preprocessing"))
    thresholds_sha256 = factory.LazyAttribute(lambda version: sha256("thresholds"))
    licence = "Apache-2.0"


class DeploymentFactory(DjangoModelFactory):
    class Meta:
        model = Deployment
        skip_postgeneration_save = True

    slug = factory.Sequence(lambda n: f"deployment-{n}")
    name = factory.Sequence(lambda n: f"Deployment {n}")
    organisation = factory.SubFactory(OrganisationFactory)
    version = factory.SubFactory(ModelVersionFactory)

    @factory.post_generation
    def sites(self, create, extracted, **kwargs):
        for site in extracted or ():
            self.sites.add(site)
