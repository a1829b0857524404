//! The report of an audit as one HTML page: who the experts are, whom to suspect, whether routing is worth it, and what
//! aggregators make of few labels.

use std::fmt::Write;

use crate::audit::Audit;
use crate::audit_tables::{audit_labels, audit_roster, audit_summary, model_table, suspect_table};
use crate::crowd_audit::CrowdAudit;
use crate::error::EvalError;
use crate::figures::label_curve_figure;
use crate::html::{drawings, escape, list, page};
use crate::label_curve::LabelCurve;
use crate::routing::routing_table;
use crate::table::Table;

/// The report as a page of HTML that needs no other file; the same audit gives the same bytes. `about` lists the
/// parameters of the run, name and value.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn audit_html(
    audit: &Audit,
    crowd: &CrowdAudit,
    curve: Option<&LabelCurve>,
    title: &str,
    about: &[(String, String)],
) -> Result<String, EvalError> {
    let mut body = format!("<p class=\"summary\">{}</p>\n", escape(&opening(audit, crowd)));
    for warning in crowd.warnings() {
        let _ = writeln!(body, "<p class=\"note\"><strong>Warning:</strong> {}</p>", escape(&warning));
    }
    body += &section("Experts and labels", &[audit_summary(audit), audit_labels(audit)], "");
    if let Some(curve) = curve {
        let note = format!(
            "Accuracy when every case has so many random labels; in brackets the labels that a case then has, in cells the \
             population standard deviation over {} draws.",
            curve.repetitions
        );
        body += &section("Accuracy against labels per case", &[curve.table()], &note);
        body += &drawings(&[label_curve_figure(curve)?]);
    }
    if !crowd.routing.is_empty() {
        let note = "The best single worker is chosen for each case by their accuracy on the others. The oracle asks somebody \
                    who is right if there is anybody: what lies between the two is what a router could gain with one label.";
        body += &section("Is routing worth it?", &[routing_table(&crowd.routing)], note);
    }
    let note = "A model whose labels agree with the majority less often than single votes do does not fit these votes.";
    body += &section("Models of the votes", &[model_table(crowd)], note);
    let note = "Found from the votes alone: MACE's spam rate above .8, agreement with the others no better than chance, \
                the same answer every time. A suspicion is a reason to look, not a proof.";
    body += &section("Suspected spammers", &[suspect_table(crowd, usize::MAX)], note);
    body += &section("Roster", &[audit_roster(audit, crowd, usize::MAX)], "");
    body += &list("Run", about);
    Ok(page(title, &body))
}

fn opening(audit: &Audit, crowd: &CrowdAudit) -> String {
    let mut text = format!(
        "{} cases, {} decisions of {} experts. Krippendorff's alpha is {:.3}",
        audit.cases, audit.decisions, audit.active_experts, audit.alpha
    );
    if audit.majority.value().is_some() {
        text += &format!(", the majority is right on {:.3} of the cases with a gold label", audit.majority);
    }
    text + &match crowd.suspects.len() {
        0 => ". Nobody is suspected of spamming.".to_owned(),
        1 => ". One expert is suspected of spamming.".to_owned(),
        n => format!(". {n} experts are suspected of spamming."),
    }
}

pub(crate) fn section(title: &str, tables: &[Table], note: &str) -> String {
    let mut html = format!("<section>\n<h2>{}</h2>\n", escape(title));
    for table in tables {
        html += &html_table(title, table);
    }
    if !note.is_empty() {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html + "</section>\n"
}

fn html_table(about: &str, table: &Table) -> String {
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table>\n<thead><tr>",
        escape(about)
    );
    for name in &table.header {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in &table.rows {
        html += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ =
                if at == 0 { write!(html, "<th scope=\"row\">{cell}</th>") } else { write!(html, "<td>{cell}</td>") };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}
