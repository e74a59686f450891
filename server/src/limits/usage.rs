//! How many descriptors are open.

use std::{fs, io};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Where the kernel lists the descriptors of this process.
const LIST: &str = "/proc/self/fd";

/// How many descriptors this process may have open.
pub fn descriptor_limit() -> usize {
    // No number is no limit; the kernel has one of its own (2²⁰, as it comes).
    getrlimit(Resource::Nofile).current.map_or(1 << 20, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many descriptors this process has open, if the kernel says so. If there is none left to look
/// with, it is as many as there may be.
pub fn open_descriptors() -> Option<usize> {
    known().or_else(|| counted(fs::read_dir(LIST), descriptor_limit()))
}

/// Linux knows the number since 6.2. To be told it takes no descriptor and no time, which matters to
/// the thread of the admin address when there are a hundred thousand.
fn known() -> Option<usize> {
    let size = fs::metadata(LIST).ok()?.len();
    usize::try_from(size).ok().filter(|size| *size > 0)
}

fn counted(list: io::Result<fs::ReadDir>, limit: usize) -> Option<usize> {
    match list {
        // The one that the list is read with is none of the rest.
        Ok(list) => Some(list.count().saturating_sub(1)),
        Err(error) => (error.raw_os_error() == Some(Errno::MFILE.raw_os_error())).then_some(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_there_is_none_left_to_look_with_it_is_the_limit_and_else_unknown() {
        assert_eq!(counted(Err(Errno::MFILE.into()), 64), Some(64));
        assert_eq!(counted(Err(Errno::NOENT.into()), 64), None);
        // Others have them; how many are ours is not known.
        assert_eq!(counted(Err(Errno::NFILE.into()), 64), None);
    }
}
