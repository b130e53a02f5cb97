"""How well forecasts of demand came true: forecasters from several origins, beside the seasonal naive one."""
