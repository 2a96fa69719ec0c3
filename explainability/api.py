from ninja import Router

router = Router(tags=["explainability"])
