# syntax=docker/dockerfile:1
# A small image: one binary, the authorities to trust, an account without rights. Run it with a read-only root and mount
# the configuration, the policies and a directory for the store:
#
#   docker run --read-only --tmpfs /tmp -v ./config:/etc/everkey:ro -v everkey:/var/lib/everkey everkey status
FROM rust:1.95-slim-bookworm AS build
# aws-lc-sys and SQLite are C: gcc and the C library's headers are in the image, nothing else is needed.
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
COPY policies policies
RUN cargo build --release --locked --bin everkey && install -D target/release/everkey /out/everkey \
    && install -d -m 0700 /out/state

FROM debian:bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="everkey" \
      org.opencontainers.image.description="Keeps the credentials of Microsoft Entra app registrations alive" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/everkey /everkey
COPY --from=build --chown=65532:65532 /out/state /var/lib/everkey
USER 65532:65532
WORKDIR /var/lib/everkey
# Configuration, policies and store can be used; quick, local, makes nothing. It finds the configuration by this variable.
ENV EVERKEY_CONFIG=/etc/everkey/everkey.toml
HEALTHCHECK CMD ["/everkey", "doctor", "--health"]
ENTRYPOINT ["/everkey"]
