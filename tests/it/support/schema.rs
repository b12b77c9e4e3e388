//! As much of JSON Schema (draft 2020-12) as `docs/json-events.schema.json` uses; what it does not know it refuses.

use serde_json::Value;

/// What in `value` is not as `schema` has it; `root` is the whole schema, to which references lead.
pub fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fault = |why: String| found.push(format!("{at}: {why}"));
    let rules = schema.as_object().expect("a schema is an object");
    let mut inner = Vec::new();
    for (rule, says) in rules {
        match rule.as_str() {
            "$schema" | "$defs" | "title" | "description" | "then" => (),
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix('#').unwrap();
                let target = root.pointer(name).unwrap_or_else(|| panic!("no {name} in the schema"));
                inner.extend(faults(root, target, value, at));
            }
            "type" if !is_a(says.as_str().unwrap(), value) => fault(format!("{value} is no {says}")),
            "const" if value != says => fault(format!("{value} is not {says}")),
            "enum" if !says.as_array().unwrap().contains(value) => {
                fault(format!("{value} is none of {says}"))
            }
            "minimum" if value.as_f64() < says.as_f64() => fault(format!("{value} is below {says}")),
            "type" | "const" | "enum" | "minimum" => (),
            "required" => {
                let missing = |it: &&Value| value.get(it.as_str().unwrap()).is_none();
                says.as_array()
                    .unwrap()
                    .iter()
                    .filter(missing)
                    .for_each(|it| fault(format!("{it} is missing")));
            }
            "properties" => {
                for (name, schema) in says.as_object().unwrap() {
                    let field = value.get(name).into_iter();
                    inner.extend(field.flat_map(|it| faults(root, schema, it, &format!("{at}.{name}"))));
                }
            }
            "items" => {
                let items = value.as_array().into_iter().flatten();
                inner.extend(items.flat_map(|it| faults(root, says, it, &format!("{at}[]"))));
            }
            "allOf" => {
                let all = says.as_array().unwrap().iter();
                inner.extend(all.flat_map(|schema| faults(root, schema, value, at)));
            }
            "if" if faults(root, says, value, at).is_empty() => {
                inner.extend(faults(root, &rules["then"], value, at));
            }
            "if" => (),
            unknown => panic!("the schema says `{unknown}`, which this does not know"),
        }
    }
    found.extend(inner);
    found
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        unknown => panic!("the schema says `{unknown}`, which this does not know"),
    }
}

#[test]
fn a_schema_is_held_against_values() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"type": "array", "items": {"enum": ["x"]}}},
        "allOf": [{"if": {"properties": {"a": {"const": 1}}}, "then": {"$ref": "#/$defs/one"}}],
        "$defs": {"one": {"required": ["c"]}}
    });
    let check = |value: Value| faults(&schema, &schema, &value, "it").len();
    assert_eq!(check(serde_json::json!({"a": 2, "b": ["x"]})), 0);
    assert_eq!(check(serde_json::json!({"a": 1, "c": null})), 0);
    for wrong in [
        serde_json::json!({"b": []}),
        serde_json::json!({"a": 1}),
        serde_json::json!({"a": -2}),
        serde_json::json!({"a": "2"}),
        serde_json::json!({"a": 2, "b": ["y"]}),
    ] {
        assert_ne!(check(wrong.clone()), 0, "{wrong}");
    }
}
