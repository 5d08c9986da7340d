"""Checks OCSF events on standard input, one a line, by the schema of their class; prints what is wrong, one a line."""

import json
import sys

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

schemas = {}
for line in sys.stdin:
    event = json.loads(line)
    uid, version = event["class_uid"], event["metadata"]["version"]
    if uid not in schemas:
        ocsf = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
        name = ocsf.lookup_class_name_from_uid(uid)
        schema = ocsf.get_class_schema(class_name=name, profiles=event["metadata"]["profiles"])
        schemas[uid] = jsonschema.Draft202012Validator(schema)
    for error in schemas[uid].iter_errors(event):
        print(uid, error.json_path, error.message[:300])
