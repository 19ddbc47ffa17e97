"""What is shown is data: profiles, traces, statistics that every face renders."""
