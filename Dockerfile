# One image for all services; the command is the service's name, as with the original:
#
#   docker build -t std-daq .
#   docker run --network=host --ipc=host -v /tmp:/tmp -v $PWD/config.json:/config.json:ro \
#     std-daq std_udp_recv /config.json --modules 0-3
#
# --ipc=host     the rings are in the host's /dev/shm (a private one has 64 MB, and ends with its container).
# --network=host packets come without a copy through a bridge; the REST interface binds 127.0.0.1.
# -v /tmp:/tmp   the ipc sockets (or another folder, and STD_DAQ_IPC_DIR).
# --user         rings and files belong to it; all services of a detector need the same, or shm_group.
#
# More in docs/how-to/run-in-containers.md.

FROM node:20-bookworm-slim AS build
WORKDIR /std-daq
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1
RUN npm install --global --no-audit --no-fund --loglevel=error deno@2.9.6 \
  && cp "$(find -L "$(npm root --global)/deno" -path '*/@deno/linux-*-glibc/deno')" /usr/local/bin/deno-runtime
# What is installed depends on these two alone: a change of the code leaves this layer as it is.
COPY deno.json deno.lock ./
RUN deno install --frozen --quiet
COPY assembly assembly
COPY lib lib
COPY mod.ts ./
COPY proto proto
COPY scripts scripts
COPY services services
COPY wasm wasm
RUN deno task --quiet build \
  && find lib services \( -name '*_test.ts' -o -name testdata -o -name 'README.md' \) -prune -exec rm -r {} + \
  && deno cache --quiet --frozen services/*/main.ts services/*/*worker.ts lib/store/*worker.ts scripts/docker_*.ts \
  && rm -rf /deno-dir/npm \
  && mkdir -p empty

FROM debian:bookworm-slim
WORKDIR /std-daq
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 HOME=/tmp NO_COLOR=1
COPY --from=build /usr/local/bin/deno-runtime /usr/local/bin/deno
COPY --from=build --chown=1000:1000 /deno-dir /deno-dir
COPY --from=build /std-daq/deno.json /std-daq/deno.lock ./
COPY --from=build /std-daq/node_modules node_modules
COPY --from=build /std-daq/lib lib
COPY --from=build /std-daq/proto proto
COPY --from=build /std-daq/scripts/docker_flags.ts /std-daq/scripts/docker_health.ts scripts/
COPY --from=build /std-daq/services services
COPY --from=build /std-daq/wasm wasm
# Volumes that are mounted there belong to the services' user.
COPY --from=build --chown=1000:1000 /std-daq/empty /data
COPY --from=build --chown=1000:1000 /std-daq/empty /run/std-daq
USER 1000:1000
# Healthy is what answers GET /health on its --health-port (or --port, the writer_agent's), and, where
# there is none, what runs.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD port=$(tr '\000' ' ' < /proc/1/cmdline | sed -nE 's/.* --(health-)?port[ =]([0-9]+) .*/\2/p'); [ -z "$port" ] || deno run --quiet --no-prompt --cached-only --allow-net=127.0.0.1:$port scripts/docker_health.ts $port
# The flags are what this service needs for its config, and nothing else; that may be in Redis.
ENTRYPOINT ["/bin/sh", "-efc", "flags=$(deno run --quiet --no-prompt --cached-only --allow-read --allow-env --allow-net scripts/docker_flags.ts \"$0\" \"$@\"); exec deno run --quiet --no-prompt --cached-only $flags \"services/$0/main.ts\" \"$@\""]
CMD ["daq", "--help"]
