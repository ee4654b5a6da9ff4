# Dockerfile - four small images from one build; compose.yaml says how they run.

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
		autoconf automake gcc libc6-dev make pkg-config \
		libcap-dev libelf-dev libfcgi-dev libjson-c-dev libseccomp-dev python3-dev
WORKDIR /src
COPY configure.ac Makefile.am ./
COPY common common
COPY executor executor
COPY zygote zygote
COPY fcgi-app fcgi-app
RUN autoreconf -fi && mkdir build && cd build \
	&& ../configure -q --prefix=/usr --libexecdir=/usr/libexec \
	&& make -j"$(nproc)" && make install-strip DESTDIR=/out

# The application: no capabilities, no network, no Python. It belongs to the group of
# nginx, which is how nginx may connect to its socket.
FROM debian:bookworm-slim AS fcgi-app
RUN apt-get update && apt-get install -y --no-install-recommends libfcgi0ldbl libjson-c5 \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/log/* \
	&& groupadd --gid 990 vivarium \
	&& useradd --uid 990 --gid 990 --groups www-data --no-create-home --shell /usr/sbin/nologin vivarium \
	&& install -d -m 750 -o 990 -g 33 /run/vivarium/app \
	&& install -d -m 750 -o 990 -g 990 /app/user_files
COPY --from=build /out/usr/bin/fcgi-app /usr/bin/fcgi-app
USER vivarium
CMD ["fcgi-app", "--socket", "/run/vivarium/app/fcgi-app.sock", "--socket-group", "www-data"]

# The executor and the Python that programs see. More packages for programs are
# installed here.
FROM debian:bookworm-slim AS executor
RUN apt-get update && apt-get install -y --no-install-recommends \
		libcap2 libelf1 libpython3.11 libseccomp2 python3 \
		bash coreutils dash diffutils file findutils gawk grep gzip less sed sqlite3 tar tzdata unzip \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/log/* \
	&& groupadd --gid 990 vivarium \
	&& useradd --uid 990 --gid 990 --no-create-home --shell /usr/sbin/nologin vivarium \
	&& install -d -m 755 /run/vivarium/executor
COPY --from=build /out/usr/bin/executor /usr/bin/executor
COPY --from=build /out/usr/libexec/vivarium/zygote /usr/libexec/vivarium/zygote
CMD ["executor", "--socket", "/run/vivarium/executor/executor.sock", "--peer-user", "vivarium"]

FROM debian:bookworm-slim AS nginx
RUN apt-get update && apt-get install -y --no-install-recommends nginx \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/log/*
COPY nginx /usr/lib/vivarium/nginx
COPY web/dist /usr/lib/vivarium/web/dist
COPY web/api-docs/dist docs/openapi.json /usr/lib/vivarium/web/dist/api/
RUN gzip -9 -k /usr/lib/vivarium/web/dist/api/*.css /usr/lib/vivarium/web/dist/api/*.js*
USER www-data
CMD ["/usr/lib/vivarium/nginx/serve", "/run/vivarium/nginx", "/run/vivarium/app/fcgi-app.sock"]

# What builds package environments: pip, and the executor that tries them. More programs for
# environments (swi-prolog-nox) are installed in the image above.
FROM executor AS environments
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-pip python3-venv \
	&& rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/log/*
COPY scripts/vivarium-env /usr/bin/vivarium-env
COPY environments /usr/share/vivarium/environments
ENTRYPOINT ["vivarium-env", "--folder", "/var/lib/vivarium/environments"]
CMD ["list"]
