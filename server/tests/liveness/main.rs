//! The rules of liveness, checked: by an oracle over random scripts, claim by claim, and rule by
//! rule.

mod bounds;
mod claims;
mod examples;
mod kept;
mod lingo;
mod oracle;
mod properties;
mod readings;
mod rig;
mod scene;
mod script;
mod stage;
mod together;
