//! The linear algebra of `deferral`: dense networks on batches with one case a column, sparse logistic regression,
//! optimisers and the one training loop that all learners share.
//!
//! Networks, optimisers and objectives are generic over [`Scalar`] (`f32` to train, `f64` to check); everything else
//! is `f64`. The crate knows nothing of experts: what is minimised comes in through [`Objective`].
//!
//! ```
//! use deferral_core::*;
//! use deferral_models::*;
//! // Learn which of two numbers is larger.
//! let features = Columns::from_values(2, (0..400).map(|i| f64::from((i * 37) % 100) / 100.0).collect());
//! let labels: Vec<Label> = features.iter().map(|x| Label(u16::from(x[0] > x[1]))).collect();
//! let mut network = Network::<f32>::new(&NetworkSpec::relu(2, &[8], 1), &mut Stream::new(1).random())?;
//! let inputs = Inputs::new(&features, &network);
//! let settings = Training { steps: 300, batches: Batches::PerStep { size: 50 }, optimiser: Optimiser::adam(0.03), stopping: None };
//! let mut silent = Silent;
//! let mut ctx = Context::new(Stream::new(2), &mut silent);
//! let mut loss = CrossEntropy::new(labels.clone(), Targets::labels(2));
//! train(std::slice::from_mut(&mut network), &inputs, &CaseWeights::uniform(200), &mut loss, None, &settings, &mut ctx)?;
//! let logits = outputs(&network, &features);
//! let right = labels.iter().enumerate().filter(|(i, y)| (logits.column(*i)[0] > 0.0) == (y.0 == 1)).count();
//! assert!(right > 190);
//! # Ok::<(), FitError>(())
//! ```

mod bank;
mod batches;
mod calibration;
pub mod classifier;
mod cross_entropy;
mod dense_logistic;
mod full_batch;
mod isotonic;
mod lbfgs;
mod logistic;
mod network;
mod objective;
mod optimiser;
mod out_of_fold;
pub mod product;
mod scalar;
mod scaling;
pub mod stable;
mod training;
pub mod uncertain;

pub use bank::{BankBatch, BankTape, NetworkBank};
pub use batches::Batches;
pub use calibration::{Calibration, Calibrator};
pub use classifier::{Classifier, ClassifierPolicy, Precision};
pub use cross_entropy::{CrossEntropy, Targets, class_probabilities, cross_entropy};
pub use dense_logistic::Part;
pub use full_batch::train_full_batch;
pub use isotonic::Isotonic;
pub use lbfgs::Lbfgs;
pub use logistic::{FittedLogistic, Logistic};
pub use network::{Activation, Init, Network, NetworkSpec, Tape};
pub use objective::{Batch, Expected, ExpectedSlope, NoPenalty, Objective, Penalise, Penalty};
pub use optimiser::Optimiser;
pub use scalar::Scalar;
pub use scaling::Scaling;
pub use training::{EarlyStopping, Inputs, Training, Validation, outputs, outputs_of_all, train};
pub use uncertain::Prior;
