// Tokio (echo) and hyper (HTTP) on the current-thread runtime: one core, no locks, no stealing.
use std::convert::Infallible;

use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn health(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from("ok\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

async fn serve_http(stream: TcpStream) {
    let mut http = Http::new();
    http.http1_only(true).pipeline_flush(true);
    let _ = http.serve_connection(stream, service_fn(health)).await;
}

async fn serve_echo(mut stream: TcpStream) {
    let mut buffer = vec![0u8; 16384];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(size) => {
                if stream.write_all(&buffer[..size]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn option(name: &str, default: &str) -> String {
    let arguments: Vec<String> = std::env::args().collect();
    let found = arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    found.cloned().unwrap_or_else(|| default.to_string())
}

fn main() {
    let echo = option("--mode", "http") == "echo";
    let port: u16 = option("--port", "0").parse().expect("--port takes a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("cannot listen");
        println!("port {}", listener.local_addr().unwrap().port());
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            };
            let _ = stream.set_nodelay(true);
            if echo {
                tokio::spawn(serve_echo(stream));
            } else {
                tokio::spawn(serve_http(stream));
            }
        }
    });
}
