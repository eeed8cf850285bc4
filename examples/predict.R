# Asks the model `iris` from R, with the package httr2. Not run by the tests: they have no R.
library(httr2)

service <- Sys.getenv("MODELWRIGHT_URL", "http://127.0.0.1:8000")
rows <- iris[c(1, 51, 101), 1:4]
names(rows) <- c("sepal_length", "sepal_width", "petal_length", "petal_width")

answer <- request(service) |>
  req_url_path_append("v1", "models", "iris", "predictions") |>
  req_body_json(list(inputs = lapply(rows, as.list))) |>
  req_error(body = function(response) resp_body_json(response)$detail) |>
  req_retry(max_tries = 3) |>
  req_perform() |>
  resp_body_json()

print(vapply(answer$predictions, function(each) each$label, ""))
