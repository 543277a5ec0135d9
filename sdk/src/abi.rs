//! How values of the contract lie in memory: the canonical ABI of the component model.
//!
//! The generated bindings do the same, with all of it unrolled for each function: five times the code. What is generated of
//! them are the types, whose fields and cases stand here in the order of `wit/v1`.

#![expect(unsafe_code, reason = "values are read from where the host put them")]

use std::alloc::{Layout, alloc, handle_alloc_error};

use crate::bindings::types::{
    Body, Content, Credential, CredentialPart, Decision, Event, Exchange, Failure, Field, Item, Outcome, Payload,
    Placement, Request, Response, Subscription, Verdict,
};

/// What lies in memory as the contract says.
pub(crate) trait Abi: Sized {
    const SIZE: usize;
    const ALIGN: usize;

    /// Takes over what the host put here.
    ///
    /// # Safety
    /// A value of this type lies there, and is taken once.
    unsafe fn lift(from: *const u8) -> Self;

    /// Leaves it here for the host.
    ///
    /// # Safety
    /// There is room for it.
    unsafe fn lower(self, to: *mut u8);

    /// Takes over a list of them.
    ///
    /// # Safety
    /// So many of them lie there, and are taken once.
    unsafe fn lift_all(from: *mut u8, length: usize) -> Vec<Self> {
        let mut all = Vec::with_capacity(length);
        for index in 0..length {
            // SAFETY: within the list.
            all.push(unsafe { Self::lift(from.add(index * Self::SIZE)) });
        }
        all
    }
}

const fn aligned(at: usize, align: usize) -> usize {
    (at + align - 1) & !(align - 1)
}

const fn greater(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Abi for $type {
            const SIZE: usize = size_of::<$type>();
            const ALIGN: usize = size_of::<$type>();

            unsafe fn lift(from: *const u8) -> Self {
                // SAFETY: the caller's.
                unsafe { from.cast::<$type>().read() }
            }

            unsafe fn lower(self, to: *mut u8) {
                // SAFETY: the caller's.
                unsafe { to.cast::<$type>().write(self) }
            }
        }
    )*};
}

number!(u16, u32, u64);

impl Abi for u8 {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;

    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller's.
        unsafe { from.read() }
    }

    unsafe fn lower(self, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe { to.write(self) }
    }

    unsafe fn lift_all(from: *mut u8, length: usize) -> Vec<Self> {
        // SAFETY: made by this module's allocator with this length.
        unsafe { Vec::from_raw_parts(from, length, length) }
    }
}

impl Abi for bool {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;

    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller's.
        unsafe { u8::lift(from) != 0 }
    }

    unsafe fn lower(self, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe { u8::from(self).lower(to) }
    }
}

impl Abi for String {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;

    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the host gives text in UTF-8.
        unsafe { Self::from_utf8_unchecked(Vec::lift(from)) }
    }

    unsafe fn lower(self, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe { place(to, self.as_ptr() as usize, self.len()) }
        std::mem::forget(self);
    }
}

/// Where a list lies, and how long it is.
unsafe fn place(to: *mut u8, at: usize, length: usize) {
    // SAFETY: the caller's: there is room for both.
    unsafe {
        to.cast::<usize>().write(at);
        to.cast::<usize>().add(1).write(length);
    }
}

impl<T: Abi> Abi for Vec<T> {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;

    #[inline(never)]
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller's.
        unsafe { T::lift_all(from.cast::<usize>().read() as *mut u8, from.cast::<usize>().add(1).read()) }
    }

    #[inline(never)]
    unsafe fn lower(self, to: *mut u8) {
        let length = self.len();
        let mut at = T::ALIGN as *mut u8;
        if length > 0 {
            // As many as there are in memory already; one of them is not much larger here than there.
            let Ok(layout) = Layout::from_size_align(length * T::SIZE, T::ALIGN) else {
                panic!("the result is too large")
            };
            // SAFETY: it has a size.
            at = unsafe { alloc(layout) };
            if at.is_null() {
                handle_alloc_error(layout);
            }
        }
        // SAFETY: the caller's.
        unsafe { place(to, at as usize, length) }
        for item in self {
            // SAFETY: there is room for all of them.
            unsafe { item.lower(at) }
            at = at.wrapping_add(T::SIZE);
        }
    }
}

impl<T: Abi> Abi for Option<T> {
    const SIZE: usize = aligned(T::ALIGN + T::SIZE, T::ALIGN);
    const ALIGN: usize = T::ALIGN;

    #[inline(never)]
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller's; the value lies behind a byte that says whether there is one.
        unsafe { if u8::lift(from) == 0 { None } else { Some(T::lift(from.add(T::ALIGN))) } }
    }

    #[inline(never)]
    unsafe fn lower(self, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe {
            u8::from(self.is_some()).lower(to);
            if let Some(value) = self {
                value.lower(to.add(T::ALIGN));
            }
        }
    }
}

impl<T: Abi, U: Abi> Abi for (T, U) {
    const SIZE: usize = aligned(aligned(T::SIZE, U::ALIGN) + U::SIZE, Self::ALIGN);
    const ALIGN: usize = greater(T::ALIGN, U::ALIGN);

    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller's.
        unsafe { (T::lift(from), U::lift(from.add(aligned(T::SIZE, U::ALIGN)))) }
    }

    unsafe fn lower(self, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe {
            self.0.lower(to);
            self.1.lower(to.add(aligned(T::SIZE, U::ALIGN)));
        }
    }
}

impl<T: Abi, E: Abi> Abi for Result<T, E> {
    const SIZE: usize = aligned(Self::ALIGN + greater(T::SIZE, E::SIZE), Self::ALIGN);
    const ALIGN: usize = greater(T::ALIGN, E::ALIGN);

    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let value = from.add(Self::ALIGN);
            if u8::lift(from) == 0 { Ok(T::lift(value)) } else { Err(E::lift(value)) }
        }
    }

    unsafe fn lower(self, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe {
            u8::from(self.is_err()).lower(to);
            match self {
                Ok(value) => value.lower(to.add(Self::ALIGN)),
                Err(value) => value.lower(to.add(Self::ALIGN)),
            }
        }
    }
}

macro_rules! record {
    ($type:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        impl Abi for $type {
            const SIZE: usize = {
                let at = 0;
                $(let at = aligned(at, <$kind>::ALIGN) + <$kind>::SIZE;)*
                aligned(at, Self::ALIGN)
            };
            const ALIGN: usize = {
                let align = 1;
                $(let align = greater(align, <$kind>::ALIGN);)*
                align
            };

            #[inline(never)]
            unsafe fn lift(from: *const u8) -> Self {
                let at = 0;
                $(
                    let at = aligned(at, <$kind>::ALIGN);
                    // SAFETY: the caller's.
                    let $field = unsafe { <$kind>::lift(from.add(at)) };
                    let at = at + <$kind>::SIZE;
                )*
                let _ = at;
                Self { $($field),* }
            }

            #[inline(never)]
            unsafe fn lower(self, to: *mut u8) {
                let at = 0;
                $(
                    let at = aligned(at, <$kind>::ALIGN);
                    // SAFETY: the caller's.
                    unsafe { self.$field.lower(to.add(at)) };
                    let at = at + <$kind>::SIZE;
                )*
                let _ = at;
            }
        }
    };
}

macro_rules! variant {
    ($type:ident { $($code:literal $case:ident $(($kind:ty))?),* $(,)? }) => {
        impl Abi for $type {
            const SIZE: usize = {
                let size = 0;
                $($(let size = greater(size, <$kind>::SIZE);)?)*
                aligned(Self::ALIGN + size, Self::ALIGN)
            };
            const ALIGN: usize = {
                let align = 1;
                $($(let align = greater(align, <$kind>::ALIGN);)?)*
                align
            };

            #[inline(never)]
            unsafe fn lift(from: *const u8) -> Self {
                // SAFETY: the caller's.
                unsafe {
                    match u8::lift(from) {
                        $($code => Self::$case $((<$kind>::lift(from.add(Self::ALIGN))))?,)*
                        _ => panic!("the host gives a value that the contract does not have"),
                    }
                }
            }

            #[inline(never)]
            unsafe fn lower(self, to: *mut u8) {
                // SAFETY: the caller's.
                unsafe {
                    match self {
                        $(variant!(@pattern value $case $($kind)?) => {
                            $code.lower(to);
                            $(<$kind>::lower(value, to.add(Self::ALIGN));)?
                        })*
                    }
                }
            }
        }
    };
    (@pattern $value:ident $case:ident $kind:ty) => { Self::$case($value) };
    (@pattern $value:ident $case:ident) => { Self::$case };
}

record!(Field { name: String, value: String });
variant!(Payload { 0u8 Text(String), 1u8 Binary(Vec<u8>), 2u8 Other(Vec<Field>) });
record!(Event {
    id: String,
    kind: String,
    occurred_at: String,
    received_at: String,
    project: String,
    subject: Option<String>,
    content_type: String,
    payload: Option<Payload>,
    attributes: Vec<Field>,
    trigger: String,
    delivery_id: String,
    meta: Vec<Field>,
});
record!(Subscription { webhook_id: String, name: String, configuration: String, meta: Vec<Field> });
record!(Content { content_type: String, data: Vec<u8>, meta: Vec<Field> });
variant!(Body {
    0u8 None,
    1u8 Json(String),
    2u8 Form(Vec<Field>),
    3u8 Text(String),
    4u8 Bytes(Content),
    5u8 Other(Vec<Field>),
});
variant!(Placement {
    0u8 Bearer,
    1u8 Basic(String),
    2u8 Header(String),
    3u8 Query(String),
    4u8 JsonBody(String),
    5u8 FormBody(String),
    6u8 Other(Vec<Field>),
});
variant!(CredentialPart { 0u8 Literal(String), 1u8 Secret(String), 2u8 Other(Vec<Field>) });
record!(Credential { placement: Placement, value: Vec<CredentialPart>, meta: Vec<Field> });
record!(Request {
    label: String,
    method: String,
    path: Vec<String>,
    query: Vec<Field>,
    headers: Vec<Field>,
    body: Body,
    credentials: Vec<Credential>,
    correlation: Option<String>,
    meta: Vec<Field>,
});
variant!(Outcome { 0u8 Deliver(Vec<Request>), 1u8 Skip(String), 2u8 Other(Vec<Field>) });
record!(Failure { code: String, message: String, retry_after_ms: Option<u64>, meta: Vec<Field> });
record!(Response {
    status: u16,
    headers: Vec<Field>,
    body: Payload,
    truncated: bool,
    elapsed_ms: u64,
    meta: Vec<Field>,
});
record!(Exchange {
    subscription: Subscription,
    event_id: String,
    kind: String,
    subject: Option<String>,
    delivery_id: String,
    request: Request,
    attempt: u32,
    response: Response,
    meta: Vec<Field>,
});
variant!(Decision {
    0u8 ByStatus,
    1u8 Delivered,
    2u8 Retry,
    3u8 Rejected,
    4u8 Uncertain,
    5u8 Disable,
    6u8 Other(Vec<Field>),
});
record!(Item { label: String, decision: Decision, message: Option<String>, link: Option<String>, meta: Vec<Field> });
record!(Verdict {
    decision: Decision,
    message: Option<String>,
    wait_ms: Option<u64>,
    link: Option<String>,
    facts: Vec<(String, Option<String>)>,
    items: Vec<Item>,
    meta: Vec<Field>,
});
