use std::str::FromStr;

/// An HTTP method that the host sends.
///
/// ```
/// use hookwright_sdk::Method;
///
/// assert_eq!("PATCH".parse(), Ok(Method::Patch));
/// assert_eq!(Method::Patch.as_str(), "PATCH");
/// assert!("TRACE".parse::<Method>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As HTTP writes it.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Method::Get.as_str(), "GET");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl FromStr for Method {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter().find(|method| method.as_str() == text).ok_or("it is none of GET, POST, PUT, PATCH, DELETE")
    }
}
