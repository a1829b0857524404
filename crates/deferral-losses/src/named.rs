//! The one expert that a method defers to: by name, or the most accurate.

use deferral_core::{Context, Dataset, Event, FitError, ParameterError};

/// The position of the expert called `name`.
///
/// # Errors
/// Names some of those there are.
pub(crate) fn named_expert(data: &Dataset, name: &str) -> Result<usize, FitError> {
    let experts = data.experts();
    experts.position(name).ok_or_else(|| {
        let some: Vec<&str> = experts.iter().take(5).collect();
        let expected = format!("one of the {} experts there are, such as {}", data.m(), some.join(", "));
        ParameterError::new("the expert to defer to", format!("`{name}`"), expected).into()
    })
}

/// The expert named, the only one, or the most accurate; who is chosen for being so is reported.
///
/// # Errors
/// If there is none, or none called so.
pub(crate) fn the_expert(data: &Dataset, named: Option<&str>, ctx: &mut Context<'_>) -> Result<usize, FitError> {
    if let Some(name) = named {
        return named_expert(data, name);
    }
    if data.m() == 1 {
        return Ok(0);
    }
    let best = most_accurate_expert(data).ok_or(FitError::NoExperts)?;
    ctx.report(&Event::Note(format!(
        "of {} experts it defers to {} alone, the most accurate; name another one with the setting `expert`",
        data.m(),
        data.experts().show(best)
    )))?;
    Ok(best)
}

/// The expert who is right most often: position in the roster, the lower one on ties, `None` without decisions on cases
/// with a known label. An expert with r right of n decisions counts `(r + 1) / (n + 2)`, so that nobody is the best for
/// one lucky label. O(decisions).
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::most_accurate_expert;
/// let cases = Cases::new(Names::numbered("case", 2), Features::none(2))?.with_labels(vec![Some(Label(1)); 2])?;
/// let decisions = Decisions::from_triples(2, 3, [(0, 0, 0), (0, 1, 1), (1, 1, 1), (0, 2, 1)])?;
/// let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 3))?;
/// assert_eq!(most_accurate_expert(&data), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn most_accurate_expert(data: &Dataset) -> Option<usize> {
    let mut counts = vec![(0u32, 0u32); data.m()];
    for (case, vote) in data.decisions().iter() {
        if let Some(truth) = data.cases().labels()[case.index()] {
            let (right, all) = &mut counts[vote.expert.index()];
            *right += u32::from(vote.label == truth);
            *all += 1;
        }
    }
    let mut best: Option<(usize, f64)> = None;
    for (expert, (right, all)) in counts.into_iter().enumerate().filter(|(_, (_, all))| *all > 0) {
        let accuracy = f64::from(right + 1) / f64::from(all + 2);
        if best.is_none_or(|(_, most)| accuracy > most) {
            best = Some((expert, accuracy));
        }
    }
    best.map(|(expert, _)| expert)
}
