//! Cases set aside: not learned from, but used to choose what is learned later.

use deferral_core::{CaseWeights, Dataset, FitError, GroupAttribute, ParameterError, Stream};
use rand::seq::SliceRandom;

/// Cases to learn from, with their weights, and cases set aside.
pub(crate) struct SetAside {
    pub(crate) learned: Dataset,
    pub(crate) weights: CaseWeights,
    pub(crate) aside: Dataset,
}

/// Sets a random share of the cases aside, of every group the same share, rounded, but at least one case.
///
/// Only groups are balanced, not labels: within a group the cases set aside must be a plain random sample, or their
/// errors would not be binomial.
pub(crate) fn set_aside(
    data: &Dataset,
    weights: &CaseWeights,
    attribute: Option<&str>,
    share: f64,
    stream: &Stream,
) -> Result<SetAside, FitError> {
    let n = data.n();
    if weights.n() != n {
        return Err(FitError::Weights { found: weights.n(), expected: n });
    }
    ParameterError::check(share > 0.0 && share < 1.0, "the share of cases set aside", share, "above 0 and below 1")?;
    let group = attribute.map(|name| data.cases().group(name)).transpose()?;
    let chosen = choose(n, group, share, stream);
    let side = |wanted: bool| (0..n).filter(|&case| chosen[case] == wanted).collect::<Vec<usize>>();
    let (learned, aside) = (side(false), side(true));
    if learned.is_empty() || aside.is_empty() {
        return Err(FitError::NoCases);
    }
    let own = learned.iter().map(|&case| weights.values()[case]).collect();
    Ok(SetAside { learned: data.select(&learned), weights: CaseWeights::new(own)?, aside: data.select(&aside) })
}

fn choose(n: usize, group: Option<&GroupAttribute>, share: f64, stream: &Stream) -> Vec<bool> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut stream.random());
    let sizes = group.map_or_else(|| vec![n], GroupAttribute::counts);
    let mut left: Vec<usize> = sizes.iter().map(|&size| ((size as f64 * share).round() as usize).max(1)).collect();
    let mut chosen = vec![false; n];
    for case in order {
        let left = &mut left[group.map_or(0, |group| group.of_case[case].index())];
        if *left > 0 {
            *left -= 1;
            chosen[case] = true;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_gives_its_share() {
        let group = GroupAttribute::from_values("g", (0..50).map(|i| if i < 10 { "a" } else { "b" }));
        let chosen = choose(50, Some(&group), 0.3, &Stream::new(1));
        assert_eq!((chosen[..10].iter().filter(|c| **c).count(), chosen[10..].iter().filter(|c| **c).count()), (3, 12));
        assert_ne!(chosen, choose(50, Some(&group), 0.3, &Stream::new(2)));
        let lone = GroupAttribute::from_values("g", ["a", "b", "b"]);
        assert!(choose(3, Some(&lone), 0.3, &Stream::new(1))[0]);
        assert_eq!(choose(50, None, 0.3, &Stream::new(1)).iter().filter(|c| **c).count(), 15);
    }
}
