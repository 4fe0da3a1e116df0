# Builds Postern and keeps what it needs to run: no shell, no package manager, no root.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY tools/node/package.json tools/node/package.json
# postern-node brings Node 24 to machines that lack it; this image does not.
RUN npm uninstall --package-lock-only --no-audit --no-fund postern-node \
 && npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/build.ts
COPY src src
RUN node scripts/build.ts \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM gcr.io/distroless/nodejs24-debian13:nonroot
LABEL org.opencontainers.image.title="Postern" \
      org.opencontainers.image.description="External authorization for Envoy: API keys, JWTs, restrictions, scopes and exact rate limits from one policy file" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json package.json
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY proto proto
# The policy is mounted at /etc/postern: a file policy.yaml, or several.
EXPOSE 9191 9192 9193
USER nonroot
# The entrypoint is node. The first flag keeps an operator's regular expression from running away; the
# second lets Node use three quarters of the container's memory limit.
CMD ["--enable-experimental-regexp-engine-on-excessive-backtracks", "--max-old-space-size-percentage=75", "--max-semi-space-size=16", "dist/main.js", "serve", "--config", "/etc/postern"]
