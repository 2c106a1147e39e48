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

/// What belongs to a cloud and to no other: mixing two of them cannot work. Addresses have no slash at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoints {
    /// Login service.
    pub login_url: String,
    /// Microsoft Graph.
    pub graph_url: String,
    /// What comes behind the name of a key vault; `None` where there are no vaults.
    pub vault_suffix: Option<String>,
    /// Audience of tokens by which a workload of elsewhere signs in.
    pub exchange_audience: String,
}

/// Audience of tokens to exchange in the global cloud, and wherever nothing else is known.
pub const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

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

    /// Its profile.
    pub fn endpoints(&self) -> Endpoints {
        let (login, graph, vaults, exchange) = match self {
            Self::China => (
                "login.chinacloudapi.cn",
                "microsoftgraph.chinacloudapi.cn",
                "vault.azure.cn",
                "api://AzureADTokenExchangeChina",
            ),
            Self::Custom(endpoints) => return endpoints.clone(),
            Self::Public => ("login.microsoftonline.com", "graph.microsoft.com", "vault.azure.net", EXCHANGE_AUDIENCE),
            Self::UsGov => (
                "login.microsoftonline.us",
                "graph.microsoft.us",
                "vault.usgovcloudapi.net",
                "api://AzureADTokenExchangeUSGov",
            ),
            Self::UsGovDod => (
                "login.microsoftonline.us",
                "dod-graph.microsoft.us",
                "vault.usgovcloudapi.net",
                "api://AzureADTokenExchangeUSGov",
            ),
        };
        Endpoints {
            login_url: format!("https://{login}"),
            graph_url: format!("https://{graph}"),
            vault_suffix: Some(vaults.to_owned()),
            exchange_audience: exchange.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `entra-contract.md` 1.7.
    #[test]
    fn each_named_cloud_is_what_the_contract_says() {
        for (name, login, graph, vaults, exchange) in [
            ("public", "login.microsoftonline.com", "graph.microsoft.com", "vault.azure.net", ""),
            ("usgov", "login.microsoftonline.us", "graph.microsoft.us", "vault.usgovcloudapi.net", "USGov"),
            ("usgov-dod", "login.microsoftonline.us", "dod-graph.microsoft.us", "vault.usgovcloudapi.net", "USGov"),
            ("china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn", "vault.azure.cn", "China"),
        ] {
            let expected = Endpoints {
                login_url: format!("https://{login}"),
                graph_url: format!("https://{graph}"),
                vault_suffix: Some(vaults.to_owned()),
                exchange_audience: format!("api://AzureADTokenExchange{exchange}"),
            };
            assert_eq!(Cloud::named(name).unwrap().endpoints(), expected, "{name}");
        }
        assert_eq!(Cloud::named("custom"), None);
    }

    #[test]
    fn a_custom_cloud_keeps_its_addresses() {
        let own = Endpoints {
            login_url: "https://a.example".into(),
            graph_url: "https://b.example".into(),
            vault_suffix: None,
            exchange_audience: "api://c".into(),
        };
        assert_eq!(Cloud::Custom(own.clone()).endpoints(), own);
    }
}
