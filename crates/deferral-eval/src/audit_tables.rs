//! What an audit found, as tables of text.

use deferral_metrics::{Measured, Spread};

use crate::audit::{Audit, ExpertAudit, LabelCount};
use crate::crowd_audit::CrowdAudit;
use crate::table::Table;

/// One line a number: what, value, spread, range.
pub fn audit_summary(audit: &Audit) -> Table {
    let mut rows: Vec<[String; 4]> = Vec::new();
    let mut count = |what: &str, n: usize| rows.push([what.to_owned(), n.to_string(), String::new(), String::new()]);
    count("cases", audit.cases);
    count("  without gold label", audit.cases_without_label);
    count("  without decisions", audit.cases_without_decisions);
    count("experts", audit.experts);
    count("  who decided anything", audit.active_experts);
    count("decisions", audit.decisions);
    let mut spread = |what: String, spread: Option<&Spread>, digits: usize| {
        rows.push(match spread {
            Some(s) => [
                what,
                format!("{:.digits$}", s.mean),
                format!("({:.digits$})", s.population_sd),
                format!("{:.digits$} - {:.digits$}", s.min, s.max),
            ],
            None => [what, "-".to_owned(), String::new(), String::new()],
        });
    };
    spread("decisions per case".to_owned(), audit.per_case.as_ref(), 2);
    spread("decisions per active expert".to_owned(), audit.per_expert.as_ref(), 2);
    spread("expert accuracy".to_owned(), audit.accuracy.as_ref(), 4);
    for group in &audit.by_group {
        spread(format!("  on {} ({} cases)", group.group, group.cases), group.accuracy.as_ref(), 4);
    }
    for pair in &audit.advantages {
        let mut better = |on: &str, than: &str, lead: &Option<Spread>| {
            let (n, lead) = (lead.map_or(0, |s| s.n), lead.as_ref());
            spread(format!("  {n} better on {on} than on {than}, lead"), lead, 4);
        };
        better(&pair.first, &pair.second, &pair.better_on_first);
        better(&pair.second, &pair.first, &pair.better_on_second);
    }
    for pair in &audit.advantages {
        let what = format!("  equal on {} and {}", pair.first, pair.second);
        rows.push([what, pair.equal.to_string(), String::new(), String::new()]);
    }
    let mut measured = |what: &str, value: &Measured| {
        let interval = value.interval().map_or_else(String::new, |(low, high)| format!("[{low:.4}, {high:.4}]"));
        rows.push([what.to_owned(), format!("{value:.4}"), String::new(), interval]);
    };
    measured("majority vote accuracy (tie to first label)", &audit.majority);
    measured("Krippendorff's alpha", &audit.alpha);
    if let Some(load) = &audit.load {
        let mut number =
            |what: &str, value: f64| rows.push([what.to_owned(), format!("{value:.4}"), String::new(), String::new()]);
        number("largest share of the decisions", load.max_share);
        number("load: normalised entropy", load.entropy);
        number("load: Gini", load.gini);
        number("load: Jain", load.jain);
    }
    let header = ["", "value", "(sd)", "range"].map(str::to_owned).to_vec();
    Table { header, rows: rows.into_iter().map(|row| row.to_vec()).collect() }
}

/// How often each label was given.
pub fn audit_labels(audit: &Audit) -> Table {
    let header = ["label", "gold", "decisions"].map(str::to_owned).to_vec();
    let row = |count: &LabelCount| vec![count.label.clone(), count.gold.to_string(), count.decisions.to_string()];
    Table { header, rows: audit.labels.iter().map(row).collect() }
}

/// The experts with most answers, `shown` of them, with their skills and spam rates.
pub fn audit_roster(audit: &Audit, crowd: &CrowdAudit, shown: usize) -> Table {
    let mut header = ["expert", "decisions", "accuracy", "95 %", "skill", "spam rate"].map(str::to_owned).to_vec();
    header.extend(audit.by_group.iter().map(|group| format!("on {}", group.group)));
    let row = |expert: &ExpertAudit| {
        let interval = expert.accuracy.interval().map_or_else(String::new, |(l, h)| format!("{l:.2}-{h:.2}"));
        let mut row =
            vec![expert.expert.clone(), expert.answered.to_string(), format!("{:.4}", expert.accuracy), interval];
        let (skill, spam) = crowd.of(expert.position);
        row.extend([format!("{skill:.4}"), format!("{spam:.4}")]);
        row.extend(expert.by_group.iter().map(|on| format!("{on:.4}")));
        row
    };
    Table { header, rows: audit.roster.iter().take(shown).map(row).collect() }
}

/// Who may be spamming, and why: the `shown` with most decisions.
pub fn suspect_table(crowd: &CrowdAudit, shown: usize) -> Table {
    let header = ["suspected", "decisions", "accuracy", "why"].map(str::to_owned).to_vec();
    let row = |suspect: &crate::crowd_audit::Suspect| {
        let reasons: Vec<String> = suspect.reasons.iter().map(ToString::to_string).collect();
        vec![suspect.expert.clone(), suspect.votes.to_string(), format!("{:.4}", suspect.accuracy), reasons.join("; ")]
    };
    Table { header, rows: crowd.suspects.iter().take(shown).map(row).collect() }
}

/// What each model of the votes makes of them.
pub fn model_table(crowd: &CrowdAudit) -> Table {
    let header = ["model", "accuracy", "agrees with majority"].map(str::to_owned).to_vec();
    let row = |check: &crate::crowd_audit::ModelCheck| {
        vec![check.model.clone(), format!("{:.4}", check.accuracy), format!("{:.4}", check.majority_agreement)]
    };
    let votes = vec!["(single votes)".to_owned(), String::new(), format!("{:.4}", crowd.vote_agreement)];
    Table { header, rows: crowd.models.iter().map(row).chain([votes]).collect() }
}
