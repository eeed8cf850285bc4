# syntax=docker/dockerfile:1
# PIP_OPTIONS is handed to pip, for example to name an index that has the PyTorch build you want (CPU, or a CUDA version):
#   docker build --build-arg PIP_OPTIONS="--extra-index-url <address>" .
# Without it pip takes what its default index offers, which on Linux is the build with CUDA.

FROM python:3.11-slim AS dependencies
ARG PIP_OPTIONS=""
WORKDIR /src
# Only the list of dependencies, so that this layer, by far the largest, stays as it is when code changes.
COPY pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /tmp/requirements.txt \
 && python -m venv --without-pip /opt/modelwright \
 && python -m pip --python /opt/modelwright install --no-cache-dir ${PIP_OPTIONS} -r /tmp/requirements.txt

FROM dependencies AS project
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" > /tmp/build.txt \
 && python -m pip --python /opt/modelwright install --no-cache-dir ${PIP_OPTIONS} -r /tmp/build.txt
COPY README.md LICENSE ./
COPY examples ./examples
COPY model_store ./model_store
COPY service ./service
RUN python -m pip --python /opt/modelwright install --no-cache-dir --no-deps --no-build-isolation --prefix /project .

FROM python:3.11-slim
RUN groupadd --gid 10001 modelwright \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/modelwright --shell /usr/sbin/nologin modelwright \
 && install --directory --owner 10001 --group 10001 /var/lib/modelwright
COPY --from=dependencies /opt/modelwright /opt/modelwright
COPY --from=project /project /opt/modelwright
# Everything that is written lies under the home, so that the root file system can be read-only.
ENV PATH=/opt/modelwright/bin:$PATH \
    HOME=/var/lib/modelwright \
    TMPDIR=/var/lib/modelwright \
    MODELWRIGHT_HOME=/var/lib/modelwright \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME /var/lib/modelwright
WORKDIR /var/lib/modelwright
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["modelwright"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
