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

    #[test]
    fn each_named_cloud_has_hosts_of_its_own() {
        let graphs: std::collections::BTreeSet<_> = ["china", "public", "usgov", "usgov-dod"]
            .map(|name| Cloud::named(name).unwrap().endpoints().graph_url)
            .into();
        assert_eq!(graphs.len(), 4);
        assert_eq!(Cloud::named("custom"), None);
    }

    #[test]
    fn a_custom_cloud_keeps_its_addresses() {
        let own = Endpoints { login_url: "https://a.example".into(), graph_url: "https://b.example".into() };
        assert_eq!(Cloud::Custom(own.clone()).endpoints(), own);
    }
}
