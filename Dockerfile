# One image, several commands: docker build -t cadastre:0.1.0 . && docker run cadastre:0.1.0 control-plane --help
# Commands: control-plane, storage-agent, router, node-labels, cadastre.
FROM node:20.19-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY libs ./libs
COPY apps ./apps
COPY proto ./proto
COPY tools ./tools
COPY tsconfig.json tsconfig.base.json ./
# No package's scripts run; what is native comes as a prebuilt package.
RUN npm ci --ignore-scripts
RUN node tools/build.mjs

FROM node:20.19-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY libs ./libs
COPY apps ./apps
RUN npm ci --omit=dev --ignore-scripts
RUN find libs apps -type d -name src -prune -exec rm -r {} +

FROM node:20.19-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app ./
COPY --from=build /src/proto ./proto
COPY --from=build /src/libs/core/dist ./libs/core/dist
COPY --from=build /src/libs/runtime/dist ./libs/runtime/dist
COPY --from=build /src/libs/certificates/dist ./libs/certificates/dist
COPY --from=build /src/libs/contracts/dist ./libs/contracts/dist
COPY --from=build /src/libs/store/dist ./libs/store/dist
COPY --from=build /src/libs/engine/dist ./libs/engine/dist
COPY --from=build /src/libs/client/dist ./libs/client/dist
COPY --from=build /src/libs/service-kit/dist ./libs/service-kit/dist
COPY --from=build /src/apps/control-plane/dist ./apps/control-plane/dist
COPY --from=build /src/apps/storage-agent/dist ./apps/storage-agent/dist
COPY --from=build /src/apps/router/dist ./apps/router/dist
COPY --from=build /src/apps/cli/dist ./apps/cli/dist
COPY --chmod=755 tools/image/entrypoint.sh /usr/local/bin/cadastre-image
USER 10001:10001
ENTRYPOINT ["cadastre-image"]
CMD ["cadastre", "--help"]
