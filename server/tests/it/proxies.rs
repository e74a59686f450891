//! The configurations of docs/proxies.md, run by the programs that they are for.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Certificate, Client, Response, Version};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::support::backend::{Backend, TOKEN, unhealthy};
use crate::support::{GUILD, SOON, Scene, Viewer, eventually, shards};

const STREAM: &str = "/api/guilds/81384788757315589/status/stream";

/// A proxy that ends with the test.
struct Proxy {
    _process: Child,
    _folder: TempDir,
    url: String,
    client: Client,
}

/// The block of the document in this language.
fn documented(language: &str) -> String {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/proxies.md")).unwrap();
    let (_, rest) = document.split_once(&format!("```{language}\n")).expect("the document has it");
    rest.split_once("```").unwrap().0.to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The text with a part of it replaced, which has to be there.
fn with(text: &str, part: &str, replacement: &str) -> String {
    assert!(text.contains(part), "{part} is in {text}");
    text.replace(part, replacement)
}

async fn run(program: &str, arguments: &[&str], folder: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", folder);
    let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn();
    process.unwrap_or_else(|error| panic!("{program}: {error}; tools/packages.sh {program}"))
}

impl Proxy {
    /// nginx with these servers.
    async fn nginx(servers: &str, url: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {here}/{name};\n"))
            .concat();
        let servers = servers.replace("/etc/ssl/", &format!("{here}/"));
        let text = format!(
            "daemon off;\nmaster_process off;\nerror_log stderr;\npid {here}/nginx.pid;\nevents {{}}\n\
             http {{\naccess_log off;\ngzip on;\ngzip_types *;\n{temporary}{servers}}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let subject = [
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ];
        let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let files = ["-keyout", "example.com.key", "-out", "example.com.pem"];
        let mut made = run("openssl", &[&key[..], &files, &subject].concat(), folder.path()).await;
        assert!(made.wait().await.unwrap().success());
        let certificate = fs::read(folder.path().join("example.com.pem")).unwrap();
        let configuration = folder.path().join("nginx.conf").display().to_string();
        let process = run("nginx", &["-p", &here.to_string(), "-c", &configuration], folder.path()).await;
        Self { _process: process, url, client: client(&certificate), _folder: folder }.ready().await
    }

    /// Caddy with this site, whose certificate it makes itself.
    async fn caddy(site: &str, url: String) -> (Self, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let global = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n\thttp_port 0\n}\n";
        fs::write(folder.path().join("Caddyfile"), format!("{global}{site}")).unwrap();
        let process = run("caddy", &["run", "--config", "Caddyfile"], folder.path()).await;
        let root = folder.path().join(".local/share/caddy/pki/authorities/local/root.crt");
        eventually("Caddy has made its authority", async || root.exists()).await;
        let certificate = fs::read(root).unwrap();
        let proxy = Self { _process: process, url, client: client(&certificate), _folder: folder };
        (proxy.ready().await, certificate)
    }

    /// Waits until it answers.
    async fn ready(self) -> Self {
        let deadline = Instant::now() + SOON * 2;
        while self.client.get(format!("{}/api/", self.url)).send().await.is_err() {
            assert!(Instant::now() < deadline, "the proxy answers");
            sleep(Duration::from_millis(50)).await;
        }
        self
    }

    async fn get(&self, path: &str, token: &str) -> Response {
        let request =
            self.client.get(format!("{}{path}", self.url)).bearer_auth(token).header("accept-encoding", "gzip, br");
        request.send().await.unwrap()
    }
}

/// A client that trusts this authority, and keeps a stream for longer than any test.
fn client(certificate: &[u8]) -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    let certificate = Certificate::from_pem(certificate).unwrap();
    Client::builder().tls_certs_only([certificate]).no_proxy().timeout(Duration::from_secs(600)).build().unwrap()
}

/// The stream is handed on as it is, and what changes is seen at once.
async fn hands_on(proxy: &Proxy, scene: &Scene, version: Version) {
    scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
    let token = scene.viewer(&[GUILD]);
    let answer = proxy.get(STREAM, &token).await;
    assert_eq!(answer.version(), version);
    assert_eq!(answer.headers().get("content-encoding"), None, "nothing is compressed");
    assert_eq!(answer.headers()["cache-control"], "no-cache, no-transform");
    let mut viewer = Viewer::of(answer);
    assert_eq!(viewer.status().await["state"], "online");
    for _ in 0..3 {
        scene.goodbye(json!({})).await;
        assert_eq!(viewer.status_within(Duration::from_secs(1)).await["reason"], "goodbye");
        scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
        assert_eq!(viewer.status_within(Duration::from_secs(1)).await["state"], "online");
    }
    let status = proxy.get(&format!("/api/guilds/{GUILD}/status"), &token).await;
    assert_eq!(status.status(), 200);
    // Who leaves the proxy has left.
    drop(viewer);
    eventually("nobody is there", async || scene.metric("guildpulse_viewers").await == 0).await;
}

#[tokio::test]
async fn nginx_as_documented_speaks_http_2_and_hands_on_streams_as_they_come() {
    let scene = Scene::start().await;
    let port = free_port();
    let servers = with(&documented("nginx"), "server 127.0.0.1:3001;", &format!("server {};", scene.addr));
    let servers = with(&servers, "listen 443 ", &format!("listen 127.0.0.1:{port} "));
    let proxy = Proxy::nginx(&servers, format!("https://localhost:{port}")).await;
    hands_on(&proxy, &scene, Version::HTTP_2).await;
}

#[tokio::test]
async fn nginx_as_it_is_by_default_asks_by_http_1_0_and_hands_on_streams_too() {
    let scene = Scene::start().await;
    let port = free_port();
    let servers =
        format!("server {{ listen 127.0.0.1:{port}; gzip off; location /api/ {{ proxy_pass http://{}; }} }}\n", scene.addr);
    let proxy = Proxy::nginx(&servers, format!("http://localhost:{port}")).await;
    hands_on(&proxy, &scene, Version::HTTP_11).await;
}

/// The site of the document, at that port and with that behind it.
fn caddy_site(port: u16, behind: SocketAddr) -> String {
    let site = with(&documented("caddy"), "example.com {", &format!("https://localhost:{port} {{\n\ttls internal"));
    with(&site, "127.0.0.1:3001", &behind.to_string())
}

#[tokio::test]
async fn caddy_as_documented_speaks_http_2_and_hands_on_streams_as_they_come() {
    let scene = Scene::start().await;
    let port = free_port();
    let (proxy, _) = Proxy::caddy(&caddy_site(port, scene.addr), format!("https://localhost:{port}")).await;
    hands_on(&proxy, &scene, Version::HTTP_2).await;
}

#[tokio::test]
async fn a_gateway_reads_its_backend_over_tls_if_it_knows_its_authority() {
    let backend = Backend::start().await;
    let port = free_port();
    let url = format!("https://localhost:{port}");
    let (_proxy, certificate) = Proxy::caddy(&caddy_site(port, backend.addr), url.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, certificate).unwrap();
    let gateway = Scene::with(|config| {
        config.upstream.upstream = Some(url.parse().unwrap());
        config.upstream.upstream_ca = Some(file);
    })
    .await;
    // More streams than are put on one connection.
    let mut viewers = Vec::new();
    for guild in 1..=60 {
        let stream = gateway.url(&format!("/api/guilds/{guild}/status/stream"));
        let mut viewer = Viewer::open(&stream, TOKEN).await;
        viewer.status().await;
        viewers.push(viewer);
    }
    eventually("the streams are open", async || backend.streams() == 60).await;
    backend.says(unhealthy());
    for viewer in &mut viewers {
        viewer.until("offline").await;
    }

    let stranger = Scene::with(|config| config.upstream.upstream = Some(url.parse().unwrap())).await;
    let answer = stranger.http.get(stranger.url(&format!("/api/guilds/{GUILD}/status"))).bearer_auth(TOKEN);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert!(answer.text().await.unwrap().contains("upstream_unreachable"));
}
