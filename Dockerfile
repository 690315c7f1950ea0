# The image of a release, made by goreleaser from the binaries that are in the archives too.
FROM scratch
ARG TARGETPLATFORM
COPY release-files/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY $TARGETPLATFORM/talos-tsbridge /talos-tsbridge
USER 65532:65532
ENTRYPOINT ["/talos-tsbridge"]
