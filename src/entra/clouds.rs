//! The clouds that Microsoft runs Entra in, and where they answer (`entra-contract.md` 1.7).

/// A Microsoft cloud.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cloud {
    /// China, run by 21Vianet.
    China,
    /// Addresses of one's own: an emulator, or a cloud not named here.
    Custom(Endpoints),
    /// The global cloud, GCC included.
    Public,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
}

/// Base addresses of a cloud, without a slash at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoints {
    /// Login service.
    pub login_url: String,
    /// Microsoft Graph.
    pub graph_url: String,
}

impl Cloud {
    /// The cloud that `everkey.toml` calls `name`; `custom` brings its own addresses and is not found here.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "china" => Some(Self::China),
            "public" => Some(Self::Public),
            "usgov" => Some(Self::UsGov),
            "usgov-dod" => Some(Self::UsGovDod),
            _ => None,
        }
    }

    /// Where it answers.
    pub fn endpoints(&self) -> Endpoints {
        let (login, graph) = match self {
            Self::China => ("login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
            Self::Custom(endpoints) => return endpoints.clone(),
            Self::Public => ("login.microsoftonline.com", "graph.microsoft.com"),
            Self::UsGov => ("login.microsoftonline.us", "graph.microsoft.us"),
            Self::UsGovDod => ("login.microsoftonline.us", "dod-graph.microsoft.us"),
        };
        Endpoints { login_url: format!("https://{login}"), graph_url: format!("https://{graph}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `entra-contract.md` 1.7.
    #[test]
    fn each_named_cloud_is_where_it_should_be() {
        for (name, login, graph) in [
            ("public", "login.microsoftonline.com", "graph.microsoft.com"),
            ("usgov", "login.microsoftonline.us", "graph.microsoft.us"),
            ("usgov-dod", "login.microsoftonline.us", "dod-graph.microsoft.us"),
            ("china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
        ] {
            let found = Cloud::named(name).unwrap().endpoints();
            assert_eq!(found.login_url, format!("https://{login}"));
            // Tokens are asked for `<graph_url>/.default`: the scope carries the national host.
            assert_eq!(found.graph_url, format!("https://{graph}"));
        }
        assert_eq!(Cloud::named("custom"), None);
    }

    #[test]
    fn a_custom_cloud_keeps_its_addresses() {
        let own = Endpoints { login_url: "https://a.example".into(), graph_url: "https://b.example".into() };
        assert_eq!(Cloud::Custom(own.clone()).endpoints(), own);
    }
}
