"""The page that shows and plays a separation."""
