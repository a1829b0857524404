//! Several policies, one of which decides each case by lot.

use deferral_core::{
    Cases, Columns, Dataset, Label, ParameterError, Policy, PolicyError, Probabilities, Stream, Weights, most_probable,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Policies with weights that sum to 1, and itself a policy: what is expected when each case is decided by one member,
/// drawn by the weights. So beliefs, expert weights and [`Policy::together`] are weighted means over the members; the
/// weights of a committee are those of the average committee. What a lottery promises (an error rate, a constraint)
/// it promises for [`Mixture::decide`]; taking the most probable class of the mean decides by weighted majority
/// instead. Each costs as much as all members together.
///
/// ```
/// use deferral_core::{Cases, Features, Names, Policy};
/// use deferral_fairness::Mixture;
/// use deferral_models::ClassifierPolicy;
/// let sure = |p: f64| ClassifierPolicy::prior(0, vec![p, 1.0 - p]);
/// let mixture = Mixture::new(vec![sure(1.0)?, sure(0.0)?], vec![1.0, 3.0])?;
/// let cases = Cases::new(Names::numbered("case", 1), Features::none(1))?;
/// assert_eq!(mixture.classify(&cases)?.column(0), [0.25, 0.75]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixture<P> {
    members: Vec<P>,
    weights: Vec<f64>,
}

impl<P: Policy> Mixture<P> {
    /// Members with weights in the given proportions; those of weight 0 are left out.
    ///
    /// # Errors
    /// If there are not as many weights as members, a weight is negative or not finite, all are 0, or members differ
    /// in experts, classes or the group attribute they need.
    pub fn new(members: Vec<P>, weights: Vec<f64>) -> Result<Self, ParameterError> {
        let expected = format!("{}, one for each member", members.len());
        let ok = weights.len() == members.len();
        ParameterError::check(ok, "the number of mixture weights", weights.len(), &expected)?;
        if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
            return Err(ParameterError::new("a mixture weight", weight, "a finite number, 0 or more"));
        }
        let total: f64 = weights.iter().sum();
        ParameterError::check(total > 0.0, "the sum of the mixture weights", total, "above 0")?;
        let kept = members.into_iter().zip(weights).filter(|(_, weight)| *weight > 0.0);
        let (members, weights): (Vec<P>, Vec<f64>) = kept.map(|(member, weight)| (member, weight / total)).unzip();
        agree(&members)?;
        Ok(Self { members, weights })
    }

    /// Members that all weigh the same.
    ///
    /// # Errors
    /// As [`Mixture::new`].
    pub fn uniform(members: Vec<P>) -> Result<Self, ParameterError> {
        let weights = vec![1.0; members.len()];
        Self::new(members, weights)
    }

    /// The members and their weights.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&P, f64)> {
        self.members.iter().zip(self.weights.iter().copied())
    }

    /// What classifier and experts together say of each case of `data`, each case decided by one member that is drawn
    /// for it from `stream`: the lottery itself. O(n K) beside the members.
    ///
    /// # Errors
    /// As [`Policy::classify`].
    pub fn decide(&self, data: &Dataset, stream: &Stream) -> Result<Vec<Label>, PolicyError> {
        let says = self.members.iter().map(|member| member.together(data)).collect::<Result<Vec<_>, _>>()?;
        let decide = |case: usize| {
            let says = says.get(self.drawn(stream.at(case).random()));
            Label::at(says.map_or(0, |says| most_probable(says.column(case))))
        };
        Ok((0..data.n()).map(decide).collect())
    }

    /// The member in whose part of [0, 1) the number lies.
    fn drawn(&self, number: f64) -> usize {
        let mut passed = 0.0;
        let within = |weight: &f64| {
            passed += weight;
            number < passed
        };
        self.weights.iter().position(within).unwrap_or(self.members.len().saturating_sub(1))
    }

    /// The weighted mean of what each member gives.
    fn mean(&self, of: impl Fn(&P) -> Result<Columns, PolicyError>) -> Result<Columns, PolicyError> {
        let mut mean: Option<Columns> = None;
        for (member, weight) in self.members() {
            let columns = of(member)?;
            let mean = mean.get_or_insert_with(|| Columns::zeros(columns.rows(), columns.n()));
            for (to, from) in mean.values_mut().iter_mut().zip(columns.values()) {
                *to += weight * from;
            }
        }
        Ok(mean.unwrap_or_default())
    }
}

/// Refuses members that cannot stand in for each other.
fn agree<P: Policy>(members: &[P]) -> Result<(), ParameterError> {
    let Some(first) = members.first() else { return Ok(()) };
    let shape = |p: &P| (p.experts(), p.classes());
    if let Some(other) = members.iter().find(|member| shape(member) != shape(first)) {
        let found = format!("for {} experts and {} classes", other.experts(), other.classes());
        let expected = format!("for {} experts and {} classes as the first", first.experts(), first.classes());
        return Err(ParameterError::new("a member of the mixture", found, expected));
    }
    let mut needs = members.iter().filter_map(Policy::needs_group);
    let first = needs.next();
    match needs.find(|&other| Some(other) != first) {
        None => Ok(()),
        Some(other) => {
            let expected = format!("`{}`, as another member needs", first.unwrap_or("?"));
            Err(ParameterError::new("the group attribute that a member needs", format!("`{other}`"), expected))
        }
    }
}

impl<P: Policy> Policy for Mixture<P> {
    fn experts(&self) -> usize {
        self.members.first().map_or(0, Policy::experts)
    }

    fn classes(&self) -> usize {
        self.members.first().map_or(0, Policy::classes)
    }

    fn needs_group(&self) -> Option<&str> {
        self.members.iter().find_map(Policy::needs_group)
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        Ok(Probabilities(self.mean(|member| Ok(member.classify(cases)?.0))?))
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        Ok(Weights(self.mean(|member| Ok(member.weigh(cases)?.0))?))
    }

    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        Ok(Probabilities(self.mean(|member| Ok(member.together(data)?.0))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Features, Names};
    use deferral_models::ClassifierPolicy;

    fn prior(p: f64) -> ClassifierPolicy {
        ClassifierPolicy::prior(0, vec![1.0 - p, p]).unwrap()
    }

    #[test]
    fn the_lottery_decides_by_the_weights() {
        let mixture = Mixture::new(vec![prior(1.0), prior(0.0), prior(0.5)], vec![0.3, 0.7, 0.0]).unwrap();
        assert_eq!(mixture.members().len(), 2);
        let n = 4000;
        let cases = Cases::new(Names::numbered("c", n), Features::none(n)).unwrap();
        let data = Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", 2), Names::new()).unwrap();
        let decided = mixture.decide(&data, &Stream::new(5)).unwrap();
        let share = decided.iter().filter(|label| label.0 == 1).count() as f64 / n as f64;
        // Four standard deviations of a share of 4000.
        assert!((share - 0.3).abs() < 0.029, "{share}");
        assert!((mixture.together(&data).unwrap().column(7)[1] - 0.3).abs() < 1e-12);
        assert_eq!(mixture.weigh(data.cases()).unwrap().column(0), [1.0]);
    }

    #[test]
    fn members_that_do_not_fit_are_refused() {
        let message = |members, weights| Mixture::new(members, weights).unwrap_err().to_string();
        assert_eq!(
            message(vec![prior(0.5)], vec![]),
            "the number of mixture weights is 0, but must be 1, one for each member"
        );
        assert!(message(vec![prior(0.5)], vec![f64::NAN]).contains("NaN"));
        assert!(message(vec![], vec![]).contains("must be above 0"));
        let other = prior(0.5).beside(2);
        assert!(message(vec![prior(0.5), other], vec![1.0, 1.0]).contains("for 2 experts and 2 classes"));
    }
}
