//! DER taken apart without copying or re-encoding: what was signed must be checked byte by byte, and what a file
//! asks for must be known before it is done.

/// One value: its tag octet, its content, and all of it as it stands in the file.
#[derive(Clone, Copy)]
pub(super) struct Tlv<'a> {
    pub(super) tag: u8,
    pub(super) value: &'a [u8],
    pub(super) whole: &'a [u8],
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

impl<'a> Tlv<'a> {
    /// The value that `bytes` begin with, and what follows it. Definite lengths and one-octet tags only: nothing
    /// that is read here has others.
    pub(super) fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
            }
            _ => return None,
        };
        let (value, after) = rest.split_at_checked(length)?;
        (tag & 0x1f != 0x1f).then(|| (Self { tag, value, whole: &bytes[..bytes.len() - after.len()] }, after))
    }

    /// The one value that `bytes` are.
    pub(super) fn only(bytes: &'a [u8]) -> Option<Self> {
        Self::first(bytes).filter(|(_, after)| after.is_empty()).map(|(tlv, _)| tlv)
    }

    /// The values inside, up to the first that cannot be read.
    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        let mut rest = self.value;
        std::iter::from_fn(move || {
            let (tlv, after) = Self::first(rest)?;
            rest = after;
            Some(tlv)
        })
    }

    /// Whether it is made of other values.
    pub(super) fn is_constructed(self) -> bool {
        self.tag & 0x20 != 0
    }

    /// A non-negative INTEGER; what does not fit is the largest number.
    pub(super) fn number(self) -> Option<u64> {
        let digits = self.value.iter().copied().skip_while(|octet| *octet == 0);
        let digits: Vec<u8> = digits.take(9).collect();
        let value = digits.iter().fold(0u64, |value, octet| value << 8 | u64::from(*octet));
        (self.tag == INTEGER).then_some(if digits.len() > 8 { u64::MAX } else { value })
    }
}

/// The three parts of everything that is signed: what was signed, the algorithm, the signature's bits.
pub(super) fn signed(der: &[u8]) -> Option<(Tlv<'_>, Tlv<'_>, &[u8])> {
    let outer = Tlv::only(der).filter(|outer| outer.tag == SEQUENCE)?;
    let mut parts = outer.children();
    let (content, algorithm, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let (&unused, bits) = signature.value.split_first()?;
    let fits = content.tag == SEQUENCE && signature.tag == BIT_STRING && unused == 0 && parts.next().is_none();
    fits.then_some((content, algorithm, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_lie_are_no_values() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x02, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x3f, 0x01, 0],
        ] {
            assert!(Tlv::first(bad).is_none(), "{bad:?}");
        }
        assert!(Tlv::only(&[0x02, 1, 5, 0]).is_none());
        let inside: Vec<u8> = Tlv::only(&[0x30, 4, 2, 1, 5, 9]).unwrap().children().map(|tlv| tlv.tag).collect();
        assert_eq!(inside, [2], "what cannot be read ends it");
    }

    #[test]
    fn numbers() {
        let number = |value: &[u8]| Tlv { tag: INTEGER, value, whole: value }.number();
        assert_eq!((number(&[5]), number(&[0, 0xff, 0xff])), (Some(5), Some(65_535)));
        assert_eq!((number(&[0, 0x80, 0, 0, 0, 0, 0, 0, 0]), number(&[1; 9])), (Some(1 << 63), Some(u64::MAX)));
    }
}
