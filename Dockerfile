# syntax=docker/dockerfile:1
# PIP_OPTIONS is handed to pip, for example to name an index that has the PyTorch build you want (CPU, or a CUDA version):
#   docker build --build-arg PIP_OPTIONS="--extra-index-url <address>" .
# Without it pip takes what its default index offers, which on Linux is the build with CUDA.
# The extras `postgres`, `otel` and `signing` are in the image: which database the journal is on, where traces go, and whether models
# are signed, are settings.

FROM python:3.11-slim AS requirements
WORKDIR /requirements
COPY pyproject.toml ./
# Two lists of their own: while they stay the same, a change of pyproject.toml re-installs nothing.
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['postgres'], *p['optional-dependencies']['otel'], *p['optional-dependencies']['signing'], sep='\n')" > run.txt \
 && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" > build.txt

FROM python:3.11-slim AS dependencies
ARG PIP_OPTIONS=""
# The largest layer by far, below everything that changes often.
COPY --from=requirements /requirements/run.txt /tmp/run.txt
RUN python -m venv --without-pip /opt/modelwright \
 && python -m pip --python /opt/modelwright install --no-cache-dir ${PIP_OPTIONS} -r /tmp/run.txt

FROM dependencies AS project
ARG PIP_OPTIONS=""
# What builds the project is installed here only, and stays behind.
COPY --from=requirements /requirements/build.txt /tmp/build.txt
RUN python -m pip --python /opt/modelwright install --no-cache-dir ${PIP_OPTIONS} -r /tmp/build.txt
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY examples ./examples
COPY model_store ./model_store
COPY modelwright ./modelwright
COPY service ./service
RUN python -m pip --python /opt/modelwright install --no-cache-dir --no-deps --no-build-isolation --no-index --prefix /project .

FROM python:3.11-slim
RUN groupadd --gid 10001 modelwright \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/modelwright --shell /usr/sbin/nologin modelwright \
 && install --directory --owner 10001 --group 10001 /var/lib/modelwright
# Without a key it would not listen on 0.0.0.0: the first start on a volume makes one and prints it, once.
# Everything that is written lies under the home, so that the root file system can be read-only.
ENV PATH=/opt/modelwright/bin:$PATH \
    HOME=/var/lib/modelwright \
    TMPDIR=/var/lib/modelwright \
    MODELWRIGHT_HOME=/var/lib/modelwright \
    MODELWRIGHT_FIRST_KEY=true \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/modelwright
VOLUME /var/lib/modelwright
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["modelwright"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
COPY --from=dependencies /opt/modelwright /opt/modelwright
# The one layer that a change of code makes anew.
COPY --from=project /project /opt/modelwright
