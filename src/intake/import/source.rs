//! What a kind of transcripts is: where they are, and how they are read.

use crate::error::Result;
use crate::intake::import::homes::Homes;
use crate::intake::import::mark::Mark;
use crate::intake::import::reading::Reading;
use crate::intake::import::turn::Turn;
use crate::intake::import::walk::{File, Group};

/// A kind of transcripts.
pub struct Source {
    /// What it is called.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether its files have a usual place; else they are named.
    pub is_found: bool,
    /// Finds its files.
    pub find: fn(&Homes) -> Vec<Group>,
    /// Reads them.
    pub read: fn(&[Group], &mut Reading<'_>) -> Result<Vec<Turn>>,
    /// What is left to be read of a group that grew; where there is no such way, all of it is read.
    pub go_on: Option<GoOn>,
}

/// Is told of the mark where reading may begin, and asks whether a file is as it was. None where the
/// whole group has to be read.
pub type GoOn = fn(&Group, &Mark, &dyn Fn(&File) -> bool) -> Option<Group>;
