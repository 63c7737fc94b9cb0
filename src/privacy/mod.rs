//! What may be recorded, and of whom: consent, the record of the user's own choice, and the private
//! files in which such things are kept.

pub mod private;
pub mod consent;
pub mod record;
pub mod identity;
pub mod key_file;
pub mod capture;
