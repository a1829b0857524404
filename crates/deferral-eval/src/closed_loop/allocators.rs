//! The methods of a closed loop by name: every allocator, the published baselines, and what they stand beside.

use deferral_allocation::{AnyAllocator, MatchingKind, Method};
use deferral_core::{Allocator, CaseView, Columns, ExpertId, GroupId, ParameterError, Stream};

use super::baselines::{Reference, epsilon_first, goel_faltings};
use super::data::LoopData;
use super::method::{Decider, LoopMethod, Looped};
use crate::error::EvalError;

/// Test cases that an annotator of [`epsilon_first`] serves, published for the clusters.
const CAPACITY: usize = 1000;
/// Cases between two programs of [`goel_faltings`], published for the clusters.
const BATCH: usize = 10;

/// The method that `NAME[:KEY=VALUE,...]` names: what [`Method::parse`] takes, but that `goel-faltings` (with `batch` and
/// `k`; everybody labels a training case if there is no `k`) and `epsilon-first` (with `capacity`) are run as the
/// baselines of Keswani et al. (2022); and `majority`, `dawid-skene` and `random`, for which nobody is allocated.
///
/// ```
/// use deferral_eval::closed_loop::loop_method;
/// assert_eq!(loop_method("latent:k=2")?.name(), "latent:k=2");
/// assert_eq!(loop_method("majority")?.name(), "majority of all");
/// assert!(loop_method("goel-faltings:q=1").is_err());
/// # Ok::<(), deferral_eval::EvalError>(())
/// ```
///
/// # Errors
/// If there is no such name or setting.
pub fn loop_method(text: &str) -> Result<Box<dyn LoopMethod>, EvalError> {
    let (name, settings) = text.split_once(':').unwrap_or((text, ""));
    let reference = match name {
        "majority" => Reference::Majority,
        "dawid-skene" => Reference::DawidSkene,
        "random" => Reference::Random,
        "goel-faltings" => {
            let [batch, k] = numbers(name, settings, ["batch", "k"])?;
            return Ok(Box::new(goel_faltings(batch.unwrap_or(BATCH), k)));
        }
        "epsilon-first" => {
            let [capacity] = numbers(name, settings, ["capacity"])?;
            return Ok(Box::new(epsilon_first(capacity.unwrap_or(CAPACITY))));
        }
        _ => {
            let mut method = Method::parse(text);
            if let Err(error) = &mut method
                && error.parameter == "the method"
            {
                error.expected += ", majority, dawid-skene, random";
            }
            return Ok(Box::new(allocated(text, method?)));
        }
    };
    numbers(name, settings, [])?;
    Ok(Box::new(reference))
}

/// The allocator `method` as a method of the closed loop, called `name`. Whom it would let decide alone is what it
/// learned, without the prior: the largest output of the networks, or the highest expected competence. Where the group
/// of a test case is known the networks' weights are mixed with the prior as in training.
pub fn allocated(name: &str, method: Method) -> Looped {
    Looped::new(name, move |setting, stream| Ok(Box::new(method.start(setting, stream)?)))
}

impl Decider for AnyAllocator {
    fn allocator(&mut self) -> &mut dyn Allocator {
        self
    }

    /// Strict-Matching learns the prior from the first training cases, without their labels.
    fn prepare(&mut self, data: &LoopData, train: &[usize], stream: &Stream) -> Result<(), EvalError> {
        if let Self::Matching(state) = self
            && state.parameters().kind == MatchingKind::Strict
        {
            let rows = &train[..train.len().min(state.parameters().pretraining.rows)];
            let mut features = Vec::new();
            let mut groups: Vec<Option<GroupId>> = Vec::with_capacity(rows.len());
            for &case in rows {
                let view = data.view(case, true);
                features.extend_from_slice(view.features);
                groups.push(view.group);
            }
            state.pretrain(&Columns::from_values(data.setting().features, features), &groups, stream)?;
        }
        Ok(())
    }

    fn best(&mut self, case: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
        match self {
            Self::Latent(state) => state.best(case, available),
            Self::Matching(state) if case.group.is_none() => state.best(case, available),
            other => super::method::largest_share(other, case, available),
        }
    }
}

/// The whole numbers that `settings` (`KEY=VALUE,...`) give to `keys`.
fn numbers<const N: usize>(
    method: &str,
    settings: &str,
    keys: [&str; N],
) -> Result<[Option<usize>; N], ParameterError> {
    let mut found = [None; N];
    for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        let Some(at) = keys.iter().position(|known| *known == key) else {
            let known = if keys.is_empty() { "left out: there are none".to_owned() } else { keys.join(" or ") };
            return Err(ParameterError::new(format!("a setting of {method}"), key, known));
        };
        let number = value.parse().map_err(|_| ParameterError::new(key, value, "a whole number"))?;
        found[at] = Some(number);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::{ClosedLoopPlan, World};
    use super::*;
    use deferral_experts::OwnClusters;

    #[test]
    fn the_published_order_and_ours_above() {
        let clusters = OwnClusters { cases: 3000, ..OwnClusters::default() };
        let plan = ClosedLoopPlan { trials: 4, ..ClosedLoopPlan::of(World::clusters(clusters, 0.3)) };
        let methods =
            ["latent", "smooth", "strict", "no-prior", "goel-faltings"].map(|name| loop_method(name).unwrap());
        let report = plan.run(&methods).unwrap();
        let accuracy: Vec<f64> = report.rows.iter().map(|row| row.golds[0].accuracy.unwrap().mean).collect();
        assert!(accuracy[0] > 0.95, "{accuracy:?}");
        assert!(accuracy[0] > accuracy[1].max(accuracy[2]) && accuracy[1] > accuracy[3], "{accuracy:?}");
    }

    #[test]
    fn wrong_names_and_settings_are_named() {
        let message = |text: &str| loop_method(text).err().map(|error| error.to_string()).unwrap();
        assert_eq!(message("random:k=3"), "a setting of random is k, but must be left out: there are none");
        assert_eq!(message("goel-faltings:k=x"), "k is x, but must be a whole number");
        assert_eq!(message("epsilon-first:k=1"), "a setting of epsilon-first is k, but must be capacity");
        let unknown = message("lateral");
        assert!(unknown.starts_with("the method is lateral, but must be one of latent, smooth, strict"), "{unknown}");
        assert!(unknown.ends_with("epsilon-first, majority, dawid-skene, random"), "{unknown}");
    }
}
