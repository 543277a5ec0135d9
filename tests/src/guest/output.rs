//! What a guest returns, laid out as the canonical ABI of the component model says.

/// What `transform` returns.
#[derive(Debug, Clone)]
pub enum Output {
    Deliver(Vec<Request>),
    Skip(String),
    /// A case that no host knows.
    Other(Vec<Field>),
    Failure {
        code: String,
        message: String,
    },
    /// A failure that wants to be run again after so many milliseconds.
    Later(u64),
}

/// A name with a value; bytes, because a guest may return what is no text.
#[derive(Debug, Clone)]
pub struct Field(pub Vec<u8>, pub Vec<u8>);

impl Field {
    pub fn new(name: &str, value: &str) -> Self {
        Self(name.into(), value.into())
    }
}

/// A request with a body of JSON or a form, as a guest makes it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Request {
    pub label: Vec<u8>,
    pub method: String,
    pub path: Vec<String>,
    pub query: Vec<Field>,
    pub headers: Vec<Field>,
    pub json: String,
    /// Where its body stands instead, and how long it is, whatever is there.
    pub json_at: Option<(u32, u32)>,
    /// The fields of a form that is its body instead.
    pub form: Option<Vec<Field>>,
    pub credentials: Vec<Credential>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            label: Vec::new(),
            method: "POST".to_owned(),
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            json: "{}".to_owned(),
            json_at: None,
            form: None,
            credentials: Vec::new(),
        }
    }
}

/// A secret's place in a request: the number of the case of `placement`, its value, and the secret's name.
#[derive(Debug, Clone)]
pub struct Credential {
    pub placement: u8,
    pub name: String,
    pub secret: String,
}

impl Credential {
    pub fn bearer(secret: &str) -> Self {
        Self::at(0, "", secret)
    }

    /// For basic authentication of this user.
    pub fn basic(user: &str, secret: &str) -> Self {
        Self::at(1, user, secret)
    }

    /// In a header.
    pub fn header(name: &str, secret: &str) -> Self {
        Self::at(2, name, secret)
    }

    /// In a query parameter.
    pub fn query(name: &str, secret: &str) -> Self {
        Self::at(3, name, secret)
    }

    /// At a pointer into a JSON body.
    pub fn json_body(pointer: &str, secret: &str) -> Self {
        Self::at(4, pointer, secret)
    }

    /// In a field of a form.
    pub fn form_body(name: &str, secret: &str) -> Self {
        Self::at(5, name, secret)
    }

    fn at(placement: u8, name: &str, secret: &str) -> Self {
        Self { placement, name: name.to_owned(), secret: secret.to_owned() }
    }
}

/// What `interpret` returns.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// The number of the case of `decision`.
    pub decision: u8,
    pub message: Option<String>,
    pub wait_ms: Option<u64>,
    pub link: Option<String>,
    pub facts: Vec<(String, Option<String>)>,
    /// Labels with the number of the case of `decision`.
    pub items: Vec<(String, u8)>,
}

impl Verdict {
    pub const BY_STATUS: u8 = 0;
    pub const DELIVERED: u8 = 1;
    pub const RETRY: u8 = 2;
    pub const REJECTED: u8 = 3;
    pub const UNCERTAIN: u8 = 4;
    pub const DISABLE: u8 = 5;

    pub fn of(decision: u8) -> Self {
        Self { decision, ..Self::default() }
    }

    /// The bytes to be put at this address, a multiple of 8; the verdict begins there.
    pub fn bytes(&self, at: u32) -> Vec<u8> {
        let mut memory = Memory { at, bytes: Vec::new() };
        let verdict = memory.room(VERDICT);
        memory.put(verdict, &[self.decision]);
        memory.option(verdict + 12, self.message.as_deref());
        if let Some(wait_ms) = self.wait_ms {
            memory.put(verdict + 24, &[1]);
            memory.put(verdict + 32, &wait_ms.to_le_bytes());
        }
        memory.option(verdict + 40, self.link.as_deref());
        let facts = memory.list(&self.facts, FACT, |memory, at, (key, value)| {
            memory.string(at, key.as_bytes());
            memory.option(at + 8, value.as_deref());
        });
        memory.put_pair(verdict + 52, facts);
        let items = memory.list(&self.items, ITEM, |memory, at, (label, decision)| {
            memory.string(at, label.as_bytes());
            memory.put(at + 8, &[*decision]);
        });
        memory.put_pair(verdict + 60, items);
        memory.bytes
    }
}

/// Sizes in bytes of what lists hold.
const STRING: usize = 8;
const FIELD: usize = 16;
const REQUEST: usize = 96;
const CREDENTIAL: usize = 28;
const PART: usize = 12;
const RESULT: usize = 48;
const VERDICT: usize = 80;
const FACT: usize = 20;
const ITEM: usize = 52;

impl Output {
    /// The bytes to be put at this address, a multiple of 8; the result begins there.
    pub fn bytes(&self, at: u32) -> Vec<u8> {
        let mut memory = Memory { at, bytes: Vec::new() };
        let result = memory.room(RESULT);
        let outcome = |memory: &mut Memory, case: u8, pointer, length| {
            memory.put(result + 8, &[case]);
            memory.put_pair(result + 12, (pointer, length));
        };
        match self {
            Self::Deliver(requests) => {
                let (pointer, length) = memory.list(requests, REQUEST, request);
                outcome(&mut memory, 0, pointer, length);
            }
            Self::Skip(reason) => {
                let (pointer, length) = memory.text(reason.as_bytes());
                outcome(&mut memory, 1, pointer, length);
            }
            Self::Other(fields) => {
                let (pointer, length) = memory.list(fields, FIELD, field);
                outcome(&mut memory, 2, pointer, length);
            }
            Self::Failure { code, message } => {
                memory.put(result, &[1]);
                memory.string(result + 8, code.as_bytes());
                memory.string(result + 16, message.as_bytes());
            }
            Self::Later(ms) => {
                memory.put(result, &[1]);
                memory.string(result + 8, b"too-soon");
                memory.string(result + 16, b"come back later");
                memory.put(result + 24, &[1]);
                memory.put(result + 32, &ms.to_le_bytes());
            }
        }
        memory.bytes
    }
}

fn field(memory: &mut Memory, at: usize, field: &Field) {
    memory.string(at, &field.0);
    memory.string(at + 8, &field.1);
}

fn request(memory: &mut Memory, at: usize, request: &Request) {
    memory.string(at, &request.label);
    memory.string(at + 8, request.method.as_bytes());
    let path = memory.list(&request.path, STRING, |memory, at, segment| memory.string(at, segment.as_bytes()));
    memory.put_pair(at + 16, path);
    let query = memory.list(&request.query, FIELD, field);
    memory.put_pair(at + 24, query);
    let headers = memory.list(&request.headers, FIELD, field);
    memory.put_pair(at + 32, headers);
    // The body's cases `json` and `form`.
    memory.put(at + 40, &[if request.form.is_some() { 2 } else { 1 }]);
    match (&request.form, request.json_at) {
        (Some(fields), _) => {
            let fields = memory.list(fields, FIELD, field);
            memory.put_pair(at + 44, fields);
        }
        (None, Some(pair)) => memory.put_pair(at + 44, pair),
        (None, None) => memory.string(at + 44, request.json.as_bytes()),
    }
    let credentials = memory.list(&request.credentials, CREDENTIAL, credential);
    memory.put_pair(at + 68, credentials);
}

fn credential(memory: &mut Memory, at: usize, credential: &Credential) {
    memory.put(at, &[credential.placement]);
    memory.string(at + 4, credential.name.as_bytes());
    let parts = memory.list(std::slice::from_ref(&credential.secret), PART, |memory, at, secret| {
        // The part's case `secret`.
        memory.put(at, &[1]);
        memory.string(at + 4, secret.as_bytes());
    });
    memory.put_pair(at + 12, parts);
}

/// A piece of a guest's memory; places in it are counted from its beginning.
struct Memory {
    at: u32,
    bytes: Vec<u8>,
}

impl Memory {
    /// Zeros, on an address that is a multiple of 8.
    fn room(&mut self, bytes: usize) -> usize {
        let place = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(place + bytes, 0);
        place
    }

    fn put(&mut self, place: usize, bytes: &[u8]) {
        self.bytes[place..place + bytes.len()].copy_from_slice(bytes);
    }

    fn put_pair(&mut self, place: usize, (pointer, length): (u32, u32)) {
        self.put(place, &pointer.to_le_bytes());
        self.put(place + 4, &length.to_le_bytes());
    }

    /// Bytes somewhere; gives their address and length.
    fn text(&mut self, bytes: &[u8]) -> (u32, u32) {
        let place = self.room(bytes.len());
        self.put(place, bytes);
        (self.address(place), number(bytes.len()))
    }

    fn string(&mut self, place: usize, bytes: &[u8]) {
        let pair = self.text(bytes);
        self.put_pair(place, pair);
    }

    fn option(&mut self, place: usize, text: Option<&str>) {
        if let Some(text) = text {
            self.put(place, &[1]);
            self.string(place + 4, text.as_bytes());
        }
    }

    fn list<T>(&mut self, items: &[T], size: usize, write: impl Fn(&mut Self, usize, &T)) -> (u32, u32) {
        let place = self.room(items.len() * size);
        for (index, item) in items.iter().enumerate() {
            write(self, place + index * size, item);
        }
        (self.address(place), number(items.len()))
    }

    fn address(&self, place: usize) -> u32 {
        self.at + number(place)
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("it fits a guest's memory")
}
