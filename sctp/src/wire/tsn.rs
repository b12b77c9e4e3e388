//! TSNs without their wrapping: serial numbers of 32 bits (RFC 9260 §1.6) as 64 bits that only grow.

/// The unwrapped number nearest to `reference` that ends in the bits of `tsn`.
///
/// Both sides start at [`start`], so a number before the first one does not underflow.
pub(crate) fn unwrap(reference: u64, tsn: u32) -> u64 {
    let distance = tsn.wrapping_sub(reference as u32) as i32;
    reference.wrapping_add_signed(i64::from(distance))
}

/// Where the numbers of an association begin whose first TSN is `initial`: one turn up, to have room below.
pub(crate) fn start(initial: u32) -> u64 {
    (1 << 32) + u64::from(initial)
}

/// The bits that go on the line.
pub(crate) fn wrap(number: u64) -> u32 {
    number as u32
}

/// Whether serial number `a` is `b` or comes after it.
pub(crate) fn is_at_or_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 >= 0
}
