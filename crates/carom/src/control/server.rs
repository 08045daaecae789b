//! The listening side of the control socket.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::oneshot,
};

use super::{Asked, Inbox, Reply, Request, user_name};

/// Longest request line, in bytes: a long list of opt-outs.
const MAX_LINE: u64 = 64 << 20;
/// Longer ones are read beside what else is to do.
const SHORT_LINE: usize = 64 * 1024;

/// Binds the socket at `path` with mode 0600 and serves it until the inbox closes.
///
/// # Errors
/// When another node answers there, or the file cannot be made.
pub async fn serve(path: &Path, inbox: Inbox) -> io::Result<()> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("another node is listening on {}", path.display()),
        ));
    }
    if path.exists() {
        std::fs::remove_file(path)?; // left behind by a node that was killed
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, inbox.clone()));
        }
    });
    Ok(())
}

async fn converse(stream: UnixStream, inbox: Inbox) {
    let user = stream.peer_cred().map_or_else(|_| "unknown".into(), |peer| user_name(peer.uid()));
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = String::new();
        match (&mut lines).take(MAX_LINE).read_line(&mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let reply = match read_request(line).await {
            Ok(request) => ask(&inbox, request, user.clone()).await,
            Err(why) => Reply::Error(format!("not a request: {why}")),
        };
        let Ok(mut bytes) = serde_json::to_vec(&reply) else { return };
        bytes.push(b'\n');
        if write.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read_request(line: String) -> Result<Request, String> {
    let long = line.len() > SHORT_LINE;
    let read = move || serde_json::from_str(&line).map_err(|error| error.to_string());
    if !long {
        return read();
    }
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?
}

async fn ask(inbox: &Inbox, request: Request, user: String) -> Reply {
    let (reply, answer) = oneshot::channel();
    if inbox.send(Asked { request, user, reply }).await.is_err() {
        return Reply::Error("the node is stopping".into());
    }
    answer.await.unwrap_or_else(|_| Reply::Error("the node is stopping".into()))
}
