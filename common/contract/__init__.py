"""What a request may say and what an answer says: each field declared once, as Pydantic models.

Web validates requests into `requests` and `parameters` and answers through `answers`; a job carries
its request as one of `orders`, which the worker reads back. `/openapi.json`, `/docs` and the tests
of the client come from the same models. No HTTP in here: forms, files and links are web's.
"""
