//! One section of a stranger's file, of which the pages that are touched are held and no others:
//! of debug information a lookup needs a small part.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

/// 2^12 bytes: what is touched lies apart.
const PAGE_BITS: u32 = 12;

/// Where pages come from.
pub trait ReadAt {
    /// `None`: the file is shorter, or too much of it is held.
    fn fill(&self, offset: u64, page: &mut [u8]) -> Option<()>;
}

pub struct Section<'d> {
    len: usize,
    page_bits: u32,
    /// `None` inside: it could not be read.
    pages: Vec<OnceCell<Option<Box<[u8]>>>>,
    /// With the section's place in the file; none: all pages are here.
    from: Option<(&'d dyn ReadAt, u64)>,
}

impl Default for Section<'_> {
    fn default() -> Self {
        Section::whole(Vec::new())
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("len", &self.len).finish()
    }
}

impl<'d> Section<'d> {
    /// All of it is here: it was packed.
    pub fn whole(bytes: Vec<u8>) -> Section<'d> {
        Section {
            len: bytes.len(),
            // One page, however long.
            page_bits: usize::BITS - 1,
            pages: vec![OnceCell::from(Some(bytes.into_boxed_slice()))],
            from: None,
        }
    }

    /// `None`: no section of a real file is so long.
    pub fn paged(from: &'d dyn ReadAt, range: Range<u64>) -> Option<Section<'d>> {
        const LONGEST: u64 = 8 << 30;
        let len = range.end.checked_sub(range.start)?;
        let len = usize::try_from(len).ok().filter(|_| len <= LONGEST)?;
        let mut pages = Vec::new();
        pages.resize_with(len.div_ceil(1 << PAGE_BITS), OnceCell::new);
        Some(Section {
            len,
            page_bits: PAGE_BITS,
            pages,
            from: Some((from, range.start)),
        })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// What the page around `at` has from there on, never empty; `None`: nothing that can be read.
    #[inline]
    fn rest_of_page(&self, at: usize) -> Option<&[u8]> {
        let index = at >> self.page_bits;
        let page = self.pages.get(index)?;
        let page = page.get_or_init(|| self.read_page(index)).as_deref()?;
        page.get(at & ((1 << self.page_bits) - 1)..)
            .filter(|rest| !rest.is_empty())
    }

    #[cold]
    fn read_page(&self, index: usize) -> Option<Box<[u8]>> {
        let (from, offset) = self.from?;
        let start = index << self.page_bits;
        let len = (self.len - start).min(1 << self.page_bits);
        let mut page = vec![0; len].into_boxed_slice();
        from.fill(offset.checked_add(start as u64)?, &mut page)?;
        Some(page)
    }

    /// Fills `bytes` from `at` on.
    #[inline]
    pub fn copy(&self, mut at: usize, mut bytes: &mut [u8]) -> Option<()> {
        while !bytes.is_empty() {
            let rest = self.rest_of_page(at)?;
            let now = rest.len().min(bytes.len());
            bytes[..now].copy_from_slice(&rest[..now]);
            bytes = &mut bytes[now..];
            at += now;
        }
        Some(())
    }

    /// A copy only where it goes on in another page. `range` lies inside.
    pub fn slice(&self, range: Range<usize>) -> Option<Cow<'_, [u8]>> {
        if range.is_empty() {
            return Some(Cow::default());
        }
        let rest = self.rest_of_page(range.start)?;
        if let Some(bytes) = rest.get(..range.len()) {
            return Some(Cow::Borrowed(bytes));
        }
        let mut bytes = vec![0; range.len()];
        self.copy(range.start, &mut bytes)?;
        Some(Cow::Owned(bytes))
    }

    /// How far behind the start of `range` the byte is found first; `Err`: so much was searched.
    pub fn find(&self, range: Range<usize>, byte: u8) -> Result<usize, usize> {
        let mut at = range.start;
        while at < range.end {
            let Some(rest) = self.rest_of_page(at) else {
                break;
            };
            let rest = &rest[..rest.len().min(range.end - at)];
            if let Some(found) = rest.iter().position(|&other| other == byte) {
                return Ok(at + found - range.start);
            }
            at += rest.len();
        }
        Err(at - range.start)
    }

    /// The text that begins at `at`, at most `longest` bytes of it.
    pub fn text(&self, at: usize, longest: usize) -> Option<Cow<'_, [u8]>> {
        let end = self.len.min(at.checked_add(longest)?);
        if at >= end {
            return None;
        }
        let len = self.find(at..end, 0).unwrap_or_else(|searched| searched);
        self.slice(at..at + len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose bytes count up; one page of it cannot be read.
    struct Counted;

    impl ReadAt for Counted {
        fn fill(&self, offset: u64, page: &mut [u8]) -> Option<()> {
            for (at, byte) in page.iter_mut().enumerate() {
                *byte = (offset as usize + at) as u8;
            }
            (offset < 0x4000).then_some(())
        }
    }

    #[test]
    fn bytes_are_the_same_in_pages_and_whole() {
        let file: Vec<u8> = (0..0x3000u32).map(|at| (at + 0x123) as u8).collect();
        let paged = Section::paged(&Counted, 0x123..0x3123).expect("a length");
        for section in [paged, Section::whole(file.clone())] {
            for range in [0..1, 0xfff..0x1001, 0xffe..0x2fff, 0x2fff..0x3000, 5..5] {
                let slice = section.slice(range.clone()).expect("inside");
                assert_eq!(&*slice, &file[range.clone()], "{range:?}");
            }
            assert_eq!(section.len(), 0x3000);
            assert_eq!(section.slice(0x2fff..0x3001), None);
            assert_eq!(section.find(0xff0..0x3000, 0), Ok(0xed));
            assert_eq!(section.find(0xff0..0x1010, 0), Err(0x20));
            assert_eq!(section.text(0xdc, 8).as_deref(), Some(&[0xff][..]));
            assert_eq!(section.text(0x3000, 8), None);
        }
    }

    #[test]
    fn what_cannot_be_read_is_none_and_says_so_each_time() {
        let section = Section::paged(&Counted, 0x3000..0x9000).expect("a length");
        let mut bytes = [0; 2];
        assert_eq!(section.copy(0xffe, &mut bytes), Some(()));
        for _ in 0..2 {
            assert_eq!(section.copy(0xfff, &mut bytes), None);
            assert_eq!(section.find(0x1000..0x2000, 0), Err(0));
        }
        let backwards = Range { start: 9, end: 8 };
        assert!(Section::paged(&Counted, backwards).is_none());
    }
}
