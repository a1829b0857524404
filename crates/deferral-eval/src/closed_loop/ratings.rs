//! The published rater pools, read from their files, as data of a closed loop.

use deferral_core::{Columns, Features};
use deferral_data::text::WordVectors;
use deferral_data::{FeaturiseError, Inputs, RaterPools};

use super::data::{Gold, LoopData};
use crate::error::EvalError;

impl LoopData {
    /// Rated comments as [`deferral_data::read_rater_pools`] reads them: a rater suits the comments on the identity of
    /// their pool, and there are two golds, `objective` (the original raters) and `subjective` (the targeted pool). The
    /// features are the mean word vector of the text, 0 where no word is known; none without vectors. O(words + ratings).
    ///
    /// # Errors
    /// If the parts do not fit together.
    pub fn of_rater_pools(pools: RaterPools, vectors: Option<&WordVectors>) -> Result<Self, EvalError> {
        let RaterPools { records, subjective, pools, .. } = pools;
        let features = match vectors {
            Some(vectors) => mean_vectors(&records.inputs, vectors)?,
            None => Features::none(records.n()),
        };
        let attribute = records.groups.first().map_or_else(String::new, |group| group.name.clone());
        let data = records.dataset(features)?;
        let objective = Gold { name: "objective".to_owned(), labels: data.cases().labels().to_vec() };
        let subjective = Gold { name: "subjective".to_owned(), labels: subjective };
        let own = pools.clone();
        let similarity = |rater: usize, group: usize| f64::from(u8::from(own[rater] == group));
        Self::new(data, &attribute, pools, similarity)?.with_golds(vec![objective, subjective])
    }
}

fn mean_vectors(inputs: &Inputs, vectors: &WordVectors) -> Result<Features, EvalError> {
    let dim = vectors.dim();
    let mut values = Vec::with_capacity(inputs.n() * dim);
    for text in inputs.text.iter().flatten() {
        values.extend(vectors.mean_of_known(text).unwrap_or_else(|| vec![0.0; dim]));
    }
    Ok(Features::dense(Columns::from_values(dim, values)).map_err(FeaturiseError::from)?)
}

#[cfg(test)]
mod tests {
    use super::super::{ClosedLoopPlan, Draws, LoopMethod, World, loop_method};
    use super::*;
    use deferral_data::{MissingRating, read_rater_pools};
    use std::fmt::Write;

    #[test]
    fn files_in_the_published_layout_run_through_the_loop() {
        let folder = tempfile::tempdir().unwrap();
        let mut ratings = "id,unique_contributor_id,identity_attack,comment_text,rater_group\n".to_owned();
        let mut comments = "id,comment_text,identity_attack,transgender,other_gender,homosexual_gay_or_lesbian,\
                            bisexual,other_sexual_orientation,black\n"
            .to_owned();
        for comment in 0..60 {
            let (is_attack, on_lgbtq) = (comment % 3 == 0, comment % 2 == 0);
            let word = if is_attack { "bad" } else { "good" };
            let (attack, lgbtq, black) =
                (f64::from(u8::from(is_attack)), f64::from(u8::from(on_lgbtq)), 1.0 - f64::from(u8::from(on_lgbtq)));
            writeln!(comments, "{comment},{word} words,{attack},0,0,{lgbtq},0,0,{black}").unwrap();
            for (rater, pool) in ["LGBTQ", "African American", "Control"].iter().enumerate() {
                // Everybody sees attacks on their own group only.
                let sees = is_attack && (rater == usize::from(!on_lgbtq));
                writeln!(ratings, "{comment},{rater},{},{word} words,{pool}", if sees { -1.0 } else { 1.0 }).unwrap();
            }
        }
        let paths =
            [("ratings.csv", ratings), ("train.csv", comments), ("words.txt", "good 1 0\nbad 0 1\n".to_owned())].map(
                |(name, text)| {
                    let path = folder.path().join(name);
                    std::fs::write(&path, text).unwrap();
                    path
                },
            );
        let pools = read_rater_pools(&paths[0], &paths[1], MissingRating::default()).unwrap();
        let vectors = WordVectors::read(&paths[2]).unwrap();
        let data = LoopData::of_rater_pools(pools, Some(&vectors)).unwrap();
        assert_eq!((data.data().n(), data.data().m(), data.data().cases().dim()), (60, 3, 2));
        let plan = ClosedLoopPlan { trials: 3, draws: Draws::Fixed, ..ClosedLoopPlan::of(World::Given(data.into())) };
        let plan = ClosedLoopPlan { groups_at_test: true, ..plan };
        let report = plan.run(&[loop_method("latent:k=1").unwrap()] as &[Box<dyn LoopMethod>]).unwrap();
        let accuracy = |gold: usize| report.rows[0].golds[gold].accuracy.unwrap().mean;
        assert_eq!((accuracy(0), accuracy(1)), (1.0, 1.0));
    }
}
