//! `protocol/openapi.json` as something to validate with.

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::documents::json_file;

/// The document.
pub(crate) struct OpenApi(pub(crate) Value);

impl OpenApi {
    pub(crate) fn load() -> Self {
        Self(json_file("protocol/openapi.json"))
    }

    /// What stands at a place, with a `$ref` followed.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let pointer = reference.strip_prefix('#').expect("the document refers only to itself");
        self.0.pointer(pointer).unwrap_or_else(|| panic!("nothing stands at {reference}"))
    }

    /// Every operation: its method in capitals, its path, and what stands there.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        let paths = self.0["paths"].as_object().expect("the document has paths");
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path is an object").iter();
            methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
        })
    }

    /// The response that an operation gives with this status.
    pub(crate) fn response(&self, method: &str, path: &str, status: u16) -> &Value {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {path} does not document {status}");
        self.resolve(response)
    }

    /// A validator for what the server writes. Unlike for clients, a name that the document does
    /// not have is refused, so that no field stays undocumented.
    pub(crate) fn strict(&self, schema: &Value) -> Validator {
        let mut strict = self.with_components(schema);
        let components = strict["components"]["schemas"].as_object_mut().expect("the document has schemas");
        // Facts are the base of others, and do not know what is added to them.
        for (name, component) in components {
            let is_object = component["type"] == "object" || component.get("$ref").is_some();
            if is_object && name != "Facts" {
                component["unevaluatedProperties"] = false.into();
            }
        }
        build(&strict.into())
    }

    /// A validator for a schema as clients use it.
    pub(crate) fn lenient(&self, schema: &Value) -> Validator {
        build(&self.with_components(schema).into())
    }

    /// A reference to one of the document's schemas.
    pub(crate) fn named(name: &str) -> Value {
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    fn with_components(&self, schema: &Value) -> Map<String, Value> {
        let mut schema = schema.as_object().expect("a schema is an object").clone();
        schema.insert("components".into(), self.0["components"].clone());
        schema
    }
}

fn build(schema: &Value) -> Validator {
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(schema).unwrap_or_else(|error| panic!("{error} at {}", error.instance_path()))
}

/// Holds a value against a schema.
pub(crate) fn check(validator: &Validator, value: &Value, what: &str) {
    let errors: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{error} at {:?}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {value}\n{}", errors.join("\n"));
}
