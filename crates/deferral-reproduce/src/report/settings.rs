//! The settings of a study as a list of names and values, whatever kind of study it is.

use serde_json::Value;

use super::document::code;
use crate::studies::Study;

/// All that is set, by the names that the file has for it.
pub(super) fn settings(study: &Study) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    // The outermost name is the kind of study, which is said elsewhere.
    if let Ok(Value::Object(kinds)) = serde_json::to_value(&study.run) {
        kinds.values().for_each(|settings| collect("", settings, &mut facts));
    }
    facts
}

/// What is run, in a word.
pub(super) fn kind(study: &Study) -> &'static str {
    match study.run {
        crate::studies::Run::Compare(_) => "methods on the same cases",
        crate::studies::Run::ClosedLoop(_) => "closed loop",
        crate::studies::Run::Audit(_) => "audit of a table",
        crate::studies::Run::Theory(_) => "what is proved, tried out",
        crate::studies::Run::Transfer(_) => "pairs of tasks",
    }
}

fn collect(name: &str, value: &Value, to: &mut Vec<(String, String)>) {
    let join = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(&join(key), value, to)),
        Value::Array(list) if list.is_empty() => {}
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(shown).collect();
            to.push((code(name), list.join(", ")));
        }
        value => to.push((code(name), shown(value))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => code(text),
        other => code(&other.to_string()),
    }
}
