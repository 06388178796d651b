# The exchange as an image: one for bridge, web, worker and the commands. Built from the checkout.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt hatch_build.py README.md LICENSE ./
COPY casework casework
COPY storage storage
COPY pacs_bridge pacs_bridge
COPY derm_capture derm_capture
COPY viewer viewer
COPY lysbro lysbro
RUN python -m venv /opt/lysbro \
 && /opt/lysbro/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 lysbro \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lysbro \
 && install -d -o lysbro -g lysbro -m 0700 /var/lib/lysbro
COPY --from=build /opt/lysbro /opt/lysbro
ENV PATH=/opt/lysbro/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/lysbro
ENTRYPOINT ["lysbro"]
CMD ["serve"]
