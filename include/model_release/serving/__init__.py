"""The service: predictions over HTTP by a verified release, which follows `latest` without failing a request.

`served` is a release that is ready to answer, `schema` the door for its rows, `predict`, `invocations` and `inference`
the protocols, `endpoint` their way to HTTP; `live` is what changes, `watching` changes it, `application` has the routes
and `running` the process.
"""
