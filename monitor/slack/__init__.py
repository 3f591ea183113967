"""What Slack is spoken to with: its client, its blocks and modals, proof that a request is its."""
