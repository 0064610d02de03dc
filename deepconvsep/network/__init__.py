"""The networks: as numbers, as Lasagne layers, and the masks behind them."""
