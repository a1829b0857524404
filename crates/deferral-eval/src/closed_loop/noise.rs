//! How much a method needs the prior: accuracy against its noise (E8).

use deferral_core::ParameterError;
use serde::Serialize;

use super::data::World;
use super::method::LoopMethod;
use super::plan::ClosedLoopPlan;
use super::report::{LoopReport, mean};
use crate::audit_report::section;
use crate::error::EvalError;
use crate::figures::noise_figure;
use crate::html::{drawings, list, page};
use crate::table::{Table, three};

/// The same trials with priors that say less and less.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseSweep {
    /// The noise s of each prior.
    pub noises: Vec<f64>,
    /// One for each.
    pub reports: Vec<LoopReport>,
}

/// `points` values of the noise s, evenly from 0 to 2/3. Published: 10.
///
/// ```
/// let grid = deferral_eval::closed_loop::noise_grid(10);
/// assert_eq!((grid.len(), grid[0], grid[9]), (10, 0.0, 2.0 / 3.0));
/// ```
pub fn noise_grid(points: usize) -> Vec<f64> {
    let steps = points.saturating_sub(1).max(1) as f64;
    (0..points).map(|at| 2.0 / 3.0 * (at as f64 / steps)).collect()
}

impl ClosedLoopPlan {
    /// Runs all methods at every noise of the prior, on the same data and divisions, which must be clusters. `progress`
    /// is called after each with the number of those done.
    ///
    /// # Errors
    /// If the data are not clusters, a noise is not in [0, 1], or a method fails.
    pub fn sweep_noise(
        &self,
        noises: &[f64],
        methods: &[Box<dyn LoopMethod>],
        progress: &dyn Fn(usize),
    ) -> Result<NoiseSweep, EvalError> {
        let World::Clusters { clusters, rotation, .. } = &self.world else {
            return Err(ParameterError::new("the data of a sweep over noise", "others", "clusters").into());
        };
        let mut reports = Vec::with_capacity(noises.len());
        for &noise in noises {
            let world = World::Clusters { clusters: *clusters, noise, rotation: *rotation };
            reports.push(Self { world, ..self.clone() }.run(methods)?);
            progress(reports.len());
        }
        Ok(NoiseSweep { noises: noises.to_vec(), reports })
    }
}

impl NoiseSweep {
    /// The names of the methods.
    pub fn methods(&self) -> Vec<String> {
        let rows = self.reports.first().map_or(&[][..], |report| &report.rows);
        rows.iter().map(|row| row.method.clone()).collect()
    }

    /// Label accuracy, mean (population standard deviation): one row a method, one column a noise.
    pub fn table(&self) -> Table {
        let header = std::iter::once("method".to_owned());
        let header = header.chain(self.noises.iter().map(|noise| format!("s={}", three(*noise)))).collect();
        let row = |(at, method): (usize, String)| {
            let cell =
                |report: &LoopReport| mean(report.rows[at].golds.first().and_then(|gold| gold.accuracy.as_ref()));
            std::iter::once(method).chain(self.reports.iter().map(cell)).collect()
        };
        Table { header, rows: self.methods().into_iter().enumerate().map(row).collect() }
    }

    /// Label accuracy against the noise as a drawing that scales, one line a method; empty without methods.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn svg(&self) -> Result<String, EvalError> {
        Ok(noise_figure(self)?.panels.into_iter().next().map_or_else(String::new, |panel| panel.svg))
    }

    /// Both drawings and the tables as a page of HTML that needs no other file; the same sweep gives the same bytes.
    /// `about` lists the parameters of the run, name and value.
    ///
    /// # Errors
    /// If a figure cannot be drawn.
    pub fn html(&self, title: &str, about: &[(String, String)]) -> Result<String, EvalError> {
        let note = "Mean label accuracy on the test cases, in brackets the population standard deviation over trials.";
        let mut body = drawings(&[noise_figure(self)?]);
        body += &section("Label accuracy at every noise", &[self.table()], note);
        body += &list("Run", about);
        Ok(page(title, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::super::baselines::{Reference, goel_faltings};
    use super::super::method::{Decider, Looped};
    use super::*;
    use deferral_allocation::Prior;
    use deferral_core::{Allocator, CaseView, ExpertId, Label, Question, Vote, argmax};
    use deferral_experts::{OwnClusters, RaterPools};
    use rand::{Rng, RngExt};

    /// Goes by the prior alone, with a guess if it says nothing.
    struct ByPrior(Prior);

    impl Allocator for ByPrior {
        fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
            let at = random.random_range(0..available.len());
            vec![Question { expert: available[at], propensity: 1.0 / available.len() as f64 }]
        }
        fn learn(&mut self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
            votes.first().map(|vote| vote.label)
        }
        fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
            vec![1.0 / available.len() as f64; available.len()]
        }
        fn join(&mut self, newcomer: deferral_core::Newcomer<'_>) {
            self.0.push(newcomer.similarity);
        }
    }

    impl Decider for ByPrior {
        fn allocator(&mut self) -> &mut dyn Allocator {
            self
        }
        fn best(&mut self, case: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
            available.get(argmax(&self.0.weights(case.group, available))).copied()
        }
    }

    fn plan() -> ClosedLoopPlan {
        let clusters = OwnClusters { cases: 300, ..OwnClusters::default() };
        ClosedLoopPlan { trials: 2, groups_at_test: true, ..ClosedLoopPlan::of(World::clusters(clusters, 0.3)) }
    }

    fn methods() -> Vec<Box<dyn LoopMethod>> {
        let by_prior = Looped::new("by the prior", |setting, _| Ok(Box::new(ByPrior(setting.prior.clone()))));
        vec![Box::new(by_prior), Box::new(goel_faltings(10, Some(1))), Box::new(Reference::Majority)]
    }

    #[test]
    fn only_the_prior_changes() {
        let sweep = plan().sweep_noise(&[0.0, 0.6, 0.7], &methods(), &|_| {}).unwrap();
        let of = |noise: usize, method: usize| sweep.reports[noise].rows[method].golds[0].accuracy.unwrap().mean;
        assert_eq!([of(0, 0), of(1, 0)], [1.0, 1.0], "whoever goes by the order of a right prior is right");
        assert!(of(2, 0) < 0.35, "beyond 2/3 the prior is wrong");
        assert_eq!([of(0, 2), of(2, 2)], [of(1, 2); 2], "the data are the same");
        assert_eq!(sweep.table().rows.len(), 3);
        assert_eq!(sweep.table().header[2], "s=.600");
    }

    #[test]
    fn the_figure_has_a_line_a_method() {
        let sweep = plan().sweep_noise(&noise_grid(3), &methods(), &|_| {}).unwrap();
        let svg = sweep.svg().unwrap();
        assert_eq!(svg, sweep.svg().unwrap());
        for part in ["by the prior", "goel-faltings:k=1", "majority of all", "noise of the prior, s", "label accuracy"]
        {
            assert!(svg.contains(part), "{part}");
        }
        let page = sweep.html("E8", &[("seed".to_owned(), "1".to_owned())]).unwrap();
        assert_eq!(page.matches("<svg").count(), 2);
        let nothing = NoiseSweep { noises: Vec::new(), reports: Vec::new() };
        assert_eq!(nothing.svg().unwrap(), "");
    }

    #[test]
    fn other_data_have_no_noise() {
        let plan = ClosedLoopPlan { world: World::Pools(RaterPools::default()), ..plan() };
        let message = plan.sweep_noise(&[0.1], &methods(), &|_| {}).unwrap_err().to_string();
        assert_eq!(message, "the data of a sweep over noise is others, but must be clusters");
    }
}
