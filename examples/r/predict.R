# Predicts for the rows of a data frame with httr2. Not run by our tests: CI has no R.
library(httr2)

predict_rows <- function(model, rows, url = Sys.getenv("MODELWRIGHT_URL", "http://127.0.0.1:8000")) {
  asked <- request(url) |>
    req_url_path_append("v1", "models", model, "predictions") |>
    req_body_json(list(instances = lapply(seq_len(nrow(rows)), function(i) as.list(rows[i, , drop = FALSE]))), na = "null") |>
    req_error(body = function(response) resp_body_json(response, check_type = FALSE)$detail) |>
    req_retry(max_tries = 3) # 429 and 503, after the Retry-After of the answer
  key <- Sys.getenv("MODELWRIGHT_API_KEY")
  if (nzchar(key)) asked <- req_auth_bearer_token(asked, key)
  resp_body_json(req_perform(asked), simplifyVector = TRUE)$predictions
}

print(predict_rows("line", data.frame(x = c(0.5, 0.9))))
