"""What stands before both faces on the network: peers, hosts, origins, limits, time-outs."""
