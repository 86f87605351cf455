"""Reading for consumers: the SDKs are imported only if obstore alone cannot reach the store."""
