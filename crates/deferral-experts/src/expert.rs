//! A simulated person, and a panel of them that answers every case.

use deferral_core::{CaseId, CaseView, Cases, Decisions, DecisionsBuilder, ExpertId, Label, Stream};
use rand::{Rng, RngExt};

use crate::error::ExpertError;
use crate::simulated::SimulatedVotes;

/// A person, simulated: knows the truth and errs at random. The group it sees is of the attribute that it
/// [names](Expert::needs_group), else of the panel's.
///
/// ```
/// use deferral_core::{CaseView, Label};
/// use deferral_experts::Expert;
/// /// Calls everything abusive.
/// struct Stern;
/// impl Expert for Stern {
///     fn decide(&self, _: CaseView<'_>, _: Label, _: &mut dyn rand::Rng) -> Option<Label> {
///         Some(Label(1))
///     }
/// }
/// ```
pub trait Expert: Send + Sync {
    /// The answer to `case`, whose right label is `truth`; `None` if there is no answer.
    ///
    /// `rng` belongs to this expert and this case alone.
    fn decide(&self, case: CaseView<'_>, truth: Label, rng: &mut dyn Rng) -> Option<Label>;

    /// The group attribute that the expert tells cases apart by, if it does.
    fn needs_group(&self) -> Option<&str> {
        None
    }
}

impl<E: Expert + ?Sized> Expert for Box<E> {
    fn decide(&self, case: CaseView<'_>, truth: Label, rng: &mut dyn Rng) -> Option<Label> {
        (**self).decide(case, truth, rng)
    }
    fn needs_group(&self) -> Option<&str> {
        (**self).needs_group()
    }
}

/// Experts of one kind as a panel takes them.
pub fn boxed<E: Expert + 'static>(experts: impl IntoIterator<Item = E>) -> Vec<Box<dyn Expert>> {
    experts.into_iter().map(|expert| Box::new(expert) as Box<dyn Expert>).collect()
}

/// Lets every expert decide every case; an answer that does not come is missing.
///
/// An expert sees the group attribute that it names, and `attribute` if it names none. The draw of expert j on case i
/// depends on the stream, j and i only, so further experts or further cases change no other answer. O(n m).
///
/// # Errors
/// If a case has no label or the cases lack a group attribute.
pub fn panel(
    experts: &[Box<dyn Expert>],
    cases: &Cases,
    attribute: Option<&str>,
    stream: &Stream,
) -> Result<Decisions, ExpertError> {
    let mut panel = SimulatedVotes::new(experts, cases, attribute, stream)?;
    let mut decisions = DecisionsBuilder::new();
    for case in (0..cases.n()).map(CaseId::at) {
        for expert in (0..experts.len()).map(ExpertId::at) {
            if let Some(label) = panel.answer(case, expert) {
                decisions.push(case, expert, label);
            }
        }
    }
    Ok(decisions.build(cases.n(), experts.len())?)
}

/// `truth` with probability `accuracy`, else one of the other `classes` labels, each as likely.
pub(crate) fn answer(truth: Label, accuracy: f64, classes: usize, rng: &mut dyn Rng) -> Label {
    if rng.random::<f64>() < accuracy { truth } else { wrong_label(truth, classes, rng) }
}

fn wrong_label(truth: Label, classes: usize, rng: &mut dyn Rng) -> Label {
    let others = classes - usize::from(truth.index() < classes);
    let drawn = if others > 1 { rng.random_range(0..others) } else { 0 };
    Label::at(drawn + usize::from(drawn >= truth.index()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Columns, Features, Names, SparseFeatures};

    /// Answers with the integer part of the first feature.
    struct Reader;

    impl Expert for Reader {
        fn decide(&self, case: CaseView<'_>, _: Label, _: &mut dyn Rng) -> Option<Label> {
            Some(Label::at(*case.features.first()? as usize))
        }
    }

    fn labelled(features: Features) -> Cases {
        let n = features.n();
        let cases = Cases::new(Names::numbered("case", n), features).unwrap();
        cases.with_labels(vec![Some(Label(0)); n]).unwrap()
    }

    #[test]
    fn experts_see_dense_and_sparse_features_alike() {
        let dense = Features::dense(Columns::from_values(2, vec![3.0, 1.0, 0.0, 2.0])).unwrap();
        let mut sparse = SparseFeatures::new(2);
        sparse.push(&[(0, 3.0), (1, 1.0)]).unwrap();
        sparse.push(&[(1, 2.0)]).unwrap();
        for features in [dense, Features::Sparse(sparse)] {
            let decisions = panel(&boxed([Reader]), &labelled(features), None, &Stream::new(1)).unwrap();
            assert_eq!(decisions.of_expert(ExpertId(0)).labels, [Label(3), Label(0)]);
        }
    }

    #[test]
    fn a_case_without_truth_is_named() {
        let cases = labelled(Features::none(2)).with_labels(vec![Some(Label(0)), None]).unwrap();
        let error = panel(&boxed([Reader]), &cases, None, &Stream::new(1)).unwrap_err();
        let expected =
            "case case1 has no label; simulated experts need the truth of every case, so leave such cases out";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_unknown_attribute_is_named() {
        let error = panel(&boxed([Reader]), &labelled(Features::none(1)), Some("dialect"), &Stream::new(1));
        assert_eq!(error.unwrap_err().to_string(), "there is no group attribute `dialect`; known: none");
    }

    #[test]
    fn wrong_labels_are_uniform_over_the_others() {
        let mut rng = Stream::new(5).random();
        let mut counts = [0usize; 4];
        for _ in 0..30_000 {
            counts[wrong_label(Label(1), 4, &mut rng).index()] += 1;
        }
        assert_eq!(counts[1], 0);
        for k in [0, 2, 3] {
            // Four standard deviations of a binomial share of 1/3.
            assert!((counts[k] as f64 / 30_000.0 - 1.0 / 3.0).abs() < 0.011, "{counts:?}");
        }
        assert_eq!(wrong_label(Label(0), 2, &mut rng), Label(1));
        assert_eq!(wrong_label(Label(1), 2, &mut rng), Label(0));
        assert!(wrong_label(Label(7), 2, &mut rng).index() < 2, "a truth outside the classes still gets an answer");
    }
}
